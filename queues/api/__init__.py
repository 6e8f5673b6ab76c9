"""The HTTP API of queues and tasks.

It is also the ground that every app's API stands on: strict input, problem documents, pages, authentication.
"""
