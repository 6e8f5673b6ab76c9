"""Rows that belong to a person: shown, and looked for, by e-mail."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from queues.admin.writing import WrittenAdmin
from queues.conf import user_email_field
from queues.people import shown


class OfPersonAdmin(WrittenAdmin):
    """A WrittenAdmin of rows with a `user`, with a column for it; `search_further` names more lookups."""

    list_select_related = ["user"]
    search_further: tuple[str, ...] = ()

    @admin.display(description=_("user"))
    def person(self, row: Any) -> str:
        return shown(row.user)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [f"user__{user_email_field()}__istartswith", *self.search_further]
