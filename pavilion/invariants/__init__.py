"""What must always be true of the pool (see queues.invariants)."""

from pavilion.invariants import history as history  # registers its rules
from pavilion.invariants import money as money
from pavilion.invariants import moves as moves
from pavilion.invariants import places as places
