"""Routing: in what order work happens."""
