"""The tables of routing."""

from routing.models.run import Lane, Run, Step
from routing.models.session import Allowance, Move, Tally, Visit

__all__ = ["Allowance", "Lane", "Move", "Run", "Step", "Tally", "Visit"]
