"""The addresses of a router: `path("crowd/", include(MyCrowdRouter.urls()))`."""

from typing import Any

from django.urls import path

from routing.views import serving


def patterns(router_class: Any) -> list[Any]:
    """Named `index`, `workflow` (its present task, or its first) and `task`, in a namespace of the router's name."""
    which = {"router_class": router_class}
    return [
        path("", serving.index, which, name="index"),
        path("<str:workflow>/", serving.carry_out, which, name="workflow"),
        path("<str:workflow>/<str:task>/", serving.carry_out, which, name="task"),
    ]
