"""Who may use these pages.

Staff with Django's permission for the model, as everywhere in the admin; and staff who hold `crowd_queues.operate`,
who may do everything in the admin of these apps. Others meet Django's 403.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from queues.querysets import is_operator


def operates(request: HttpRequest) -> bool:
    """Whether the request comes from an operator who is staff."""
    return bool(getattr(request.user, "is_staff", False) and is_operator(request.user))


class OperatedAdmin(admin.ModelAdmin):
    """A ModelAdmin that operators may use as if they had each permission of its model."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return operates(request) or super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return operates(request) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return operates(request) or super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return operates(request) or super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return operates(request) or super().has_delete_permission(request, obj)


class SeenOnly:
    """Mixed into a ModelAdmin: its rows are looked at, whoever one is."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
