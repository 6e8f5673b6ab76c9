"""The operators' pages of reviewers and assignments, and the dashboard, in the stock Django admin."""

from assignments.admin import assignment, dashboard, exports, reviewer, starved

__all__ = ["assignment", "dashboard", "exports", "reviewer", "starved"]
