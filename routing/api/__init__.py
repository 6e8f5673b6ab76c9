"""The REST API of routing: runs of workflows, and what routers have counted."""
