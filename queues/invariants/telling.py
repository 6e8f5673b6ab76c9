"""What events tell, for rules that hold it against what rows have."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import BooleanField, Case, DateTimeField, Func, Q, QuerySet, Subquery, TextField, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, NullIf, Replace

from queues.models import Event, FeedMark
from queues.states import CLOSED

TOLD = Coalesce(KT("delta__task_status"), KT("delta__status"))
"""The status of its task that an event names, if any."""

OWN = Coalesce(KT("delta__status"), Value(""), output_field=TextField())
"""The status of its object that an event names, or ""."""

NEVER = Value(datetime(1970, 1, 1, tzinfo=UTC))


class AsTime(Func):
    """A time, or one that is text in an event's delta, so that the two can be compared (on SQLite to the millisecond).

    Not to be selected: on SQLite it is a number of days.
    """

    arity = 1
    output_field = DateTimeField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)::timestamptz", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="julianday(%(expressions)s)", **context)


def as_id(text: Any) -> Replace:
    """The text of an id, so that two can be compared: SQLite keeps UUIDs without dashes, and makes a null a text."""
    return Replace(NullIf(text, Value("null")), Value("-"), output_field=TextField())


def surely(condition: Q) -> Case:
    """Whether this is so: not where a null makes it unknown, which a negation would pass by."""
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def purged_until() -> Coalesce:
    """Until when what happened may have been purged."""
    return Coalesce(Subquery(FeedMark.objects.values("purged_until")[:1]), NEVER)


def may_be_forgotten(prefix: str = "") -> Q:
    """That a task closed so long ago that its history may have been purged. `prefix` leads to the task."""
    return Q(**{f"{prefix}status__in": CLOSED, f"{prefix}updated_at__lte": purged_until()})


def saying_something_else(says: Mapping[Any, Any]) -> QuerySet[Any, Any]:
    """Events that do not name the status that their type says."""
    wrong = [Q(type=str(type_)) & ~Q(said=str(status)) for type_, status in says.items()]
    return Event.objects.annotate(said=OWN).filter(reduce(or_, wrong))
