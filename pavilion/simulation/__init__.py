"""A crowd to try a pool with: synthetic workers over HTTP and WebSockets, who know of the site what a browser knows.

Nothing here imports Django: the engine runs against any server.
"""
