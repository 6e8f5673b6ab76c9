"""The operators' pages of projects, pools, sessions, workers and payments, in the stock Django admin."""

from pavilion.admin import payment, pool, project, session, worker

__all__ = ["payment", "pool", "project", "session", "worker"]
