"""Project and Pool, the Session in which a pool is at work, its Hires; Worker, Seat and what became of it; Payment.

Rows are changed by the writers of this app alone (pools, pool, hiring, workers, releases, paying, following).
"""

from pavilion.models.payment import Payment
from pavilion.models.pool import Pool, Project, Terms
from pavilion.models.seat import Seat, SeatTransition, Worker
from pavilion.models.session import Hire, Session

__all__ = ["Hire", "Payment", "Pool", "Project", "Seat", "SeatTransition", "Session", "Terms", "Worker"]
