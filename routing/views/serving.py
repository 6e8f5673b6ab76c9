"""The views of a router: an index of its workflows, and its tasks, for people and for programs."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from routing import pipeline, registry
from routing.exceptions import CrowdRouterError
from routing.views import asking, refusing, showing


@never_cache
@require_safe
def index(request: HttpRequest, router_class: Any, **above: Any) -> HttpResponseBase:
    """The router's workflows. As JSON: {"router", "workflows": [{"name", "path"}]}."""
    addresses, router = asking.Addresses(request), registry.made(router_class)
    try:
        router.check_entry(request)
    except CrowdRouterError as refused:
        return refusing.answer(request, refused)
    names = [kind.get_name() for kind in router.workflows]
    workflows = [{"name": name, "path": addresses.workflow(name)} for name in names]
    if asking.wants_json(request):
        return JsonResponse({"router": router_class.get_name(), "workflows": workflows})
    return render(request, "routing/index.html", {"workflows": workflows, "crowd_index": addresses.index()})


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def carry_out(
    request: HttpRequest, router_class: Any, workflow: str, task: str | None = None, **above: Any
) -> HttpResponseBase:
    """Route a request. What the host's address has besides joins its data.

    A refusal of ours is shown; what else the host's code raises, and a response that is none, is a 500.
    """
    router = registry.made(router_class)
    try:
        if task is None:
            response = router.pipeline(workflow, request, **above)
        else:
            response = router.route(workflow, task, request, **above)
    except CrowdRouterError as refused:
        if refusing.kind_of(refused).status >= 500:
            raise
        return refusing.answer(request, refused, workflow=workflow)
    try:
        return showing.answer(request, response)
    except Exception:
        # What was answered is committed: the session must say so, and Django saves none after a 500.
        pipeline.keep(response.crowd_request.get_session())
        raise
