"""The operators' pages of runs, workflows and routers, in the stock Django admin."""

from routing.admin import run, statistics

__all__ = ["run", "statistics"]
