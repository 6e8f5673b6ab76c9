"""Lists of tables that grow without end: no full count, no deep page, no filter that reads the table.

They are ordered by id alone. A state is offered as a filter only within a queue, where an index leads straight to it;
and a queue without a state is read as that many states, each along its index, whose pages are merged here. The ids come
first and their rows second: asked for both at once, the database walks from the newest row of all queues until it has
met enough of this one (0.4 s among a million).
"""

from functools import cached_property
from heapq import merge
from itertools import islice
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from queues.admin.writing import WrittenAdmin
from queues.models import Queue

COUNT_MAX = 10_000
"""Rows that are counted, and that one may turn the pages of."""

QUEUES_OFFERED = 50
"""Queues of the filter; those behind them have a link to their tasks on their own page."""


class CappedPaginator(Paginator):
    """A paginator that stops counting at COUNT_MAX."""

    @cached_property
    def count(self) -> int:
        return self._counted(self.object_list)

    @property
    def is_capped(self) -> bool:
        """Whether there may be more rows than `count`."""
        return self.count >= COUNT_MAX

    @staticmethod
    def _counted(rows: Any) -> int:
        return rows.order_by()[:COUNT_MAX].count()


class StatesPaginator(CappedPaginator):
    """The same for the rows of one queue, read state by state. `states` are those that are looked for."""

    states: tuple[str, ...] = ()
    object_list: Any

    @cached_property
    def count(self) -> int:
        total = 0
        for state in self.states:
            total += self._counted(self.object_list.filter(status=state))
            if total >= COUNT_MAX:
                return COUNT_MAX
        return total

    def page(self, number: int | str) -> Any:
        number = self.validate_number(number)
        bottom = (number - 1) * self.per_page
        top = min(bottom + self.per_page, self.count)
        newest = [
            self.object_list.filter(status=state).order_by("-id").values_list("id", flat=True)[:top]
            for state in self.states
        ]
        ids = list(islice(merge(*newest, reverse=True), bottom, top))
        return Page(self.object_list.filter(pk__in=ids), number, self)


class BigChangeList(ChangeList):
    """A list that leaves the large columns in the database."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> Any:
        return super().get_queryset(*args, **kwargs).defer(*self.model_admin.list_defer)  # type: ignore[attr-defined]

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if isinstance(self.paginator, StatesPaginator) and not self.multi_page:
            # What fits one page is asked for past the paginator, which knows the quick way.
            self.result_list = self.paginator.page(1).object_list


class ByQueue(admin.SimpleListFilter):
    """The rows of one queue."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        offered = list(Queue.objects.alive().order_by("name").values_list("pk", "name")[:QUEUES_OFFERED])
        chosen = as_id(request.GET.get(self.parameter_name))
        if chosen is not None and chosen not in {pk for pk, _name in offered}:
            offered += Queue.objects.filter(pk=chosen).values_list("pk", "name")
        return [(str(pk), name) for pk, name in offered]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        chosen = as_id(self.value())
        return queryset.none() if chosen is None else queryset.filter(queue_id=chosen)


class ByState(admin.SimpleListFilter):
    """The rows of one state, offered once a queue is chosen."""

    title = _("state")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(model_admin.states.choices) if request.GET.get(ByQueue.parameter_name) else []

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() in dict(self.lookup_choices) else queryset


def as_id(text: Any) -> int | None:
    """The id that a text of an address or a form names, None where it is none."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 18 else None


class BigListAdmin(WrittenAdmin):
    """A ModelAdmin over such a table. It names its `states` (TextChoices) and `list_defer`.

    A plain lookup in the address is let through only where `looked_up` names it.
    """

    states: Any = None
    list_defer: tuple[str, ...] = ()
    looked_up: frozenset[str] = frozenset()

    list_filter = [ByQueue, ByState]
    list_max_show_all = 50
    paginator = CappedPaginator
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return BigChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in {ByQueue.parameter_name, ByState.parameter_name, *self.looked_up}

    def get_paginator(self, request: HttpRequest, queryset: QuerySet[Any], per_page: int, *args: Any) -> Any:
        narrowed = {"q", *self.looked_up} & {key for key, value in request.GET.items() if value}
        if not request.GET.get(ByQueue.parameter_name) or narrowed:
            return CappedPaginator(queryset, per_page)
        paginator = StatesPaginator(queryset, per_page)
        chosen = request.GET.get(ByState.parameter_name, "")
        paginator.states = (chosen,) if chosen in self.states.values else tuple(self.states.values)
        return paginator

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Rows by their exact id; nothing else is looked through."""
        if not search_term:
            return queryset, False
        return queryset.filter(pk__in=self.found(search_term.strip())), False

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        if any(as_id(pk) is None for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            self.message_user(request, _("What was selected are no ids."), messages.ERROR)
            return None
        return super().response_action(request, queryset, *args, **kwargs)

    def found(self, term: str) -> list[int]:
        """The ids that a search is about."""
        number = as_id(term)
        return [] if number is None else [number]
