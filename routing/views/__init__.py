"""Serving a router: its workflows and tasks, at addresses of their own."""
