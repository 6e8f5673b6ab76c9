"""Asking PostgreSQL how it would go about a query."""

from django.db import connection


def prefer_indexes() -> None:
    """For the rest of the transaction, read in order along an index wherever there is one that fits.

    A test's table is so small, or so full of what other tests have taken back, that sorting it is often cheaper: what a
    plan shows then is chance. With this it shows whether the index is there.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for way in ("seqscan", "bitmapscan", "sort"):
                cursor.execute(f"SET LOCAL enable_{way} = off")
