"""The pages of workers: an offer, and the room in which they wait and work.

They need no cookies, so that they work inside a marketplace's page: a signed link says whose they are.
"""

from pavilion.views.offer import offer
from pavilion.views.room import enter, room
from pavilion.views.sns import sns

__all__ = ["enter", "offer", "room", "sns"]
