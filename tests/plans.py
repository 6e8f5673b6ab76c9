"""Asking PostgreSQL how it would go about a query."""

from django.db import connection
from django.db.models import Model


def prefer_indexes(model: type[Model]) -> None:
    """For the rest of the transaction, know the table as it is, and read along an index wherever one fits.

    A test's table is so small, or so full of what other tests have taken back, that sorting it is often cheaper: what a
    plan shows then is chance. With this, and some hundred rows to choose among, it shows whether the index is there.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {model._meta.db_table}")
            for way in ("seqscan", "bitmapscan", "sort"):
                cursor.execute(f"SET LOCAL enable_{way} = off")


def explain(query: str) -> str:
    """How PostgreSQL would go about a query that was seen."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        return "\n".join(line for (line,) in cursor.fetchall())
