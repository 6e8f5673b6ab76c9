"""The REST API of the pool: for operators and services, and for the windows of workers."""
