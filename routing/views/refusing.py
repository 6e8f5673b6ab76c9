"""A request that is not carried out: a page with a sentence and a way out, or problem+json."""

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render, resolve_url
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queues.api.problems import Kind, problem_response, registered
from routing.api import problems  # noqa: F401  (registers this app's problem types)
from routing.exceptions import (
    AuthenticationError,
    CrowdRouterError,
    NoTaskFoundError,
    NoWorkFlowFoundError,
    PipelineError,
    RequestsUsedUp,
)
from routing.views.asking import Addresses, wants_json

TITLES = {
    "no-such-workflow": gettext_lazy("There is no such page"),
    "no-such-task": gettext_lazy("There is no such page"),
    "not-let-in": gettext_lazy("This is not open to you"),
    "requests-used-up": gettext_lazy("Nothing more is taken just now"),
    "pipeline-elsewhere": gettext_lazy("This step is not the present one"),
}
OTHER = gettext_lazy("This did not work")


def kind_of(refused: CrowdRouterError) -> Kind:
    """The type of problem. A subclass of a host is of the type of ours that it is made of."""
    known = registered()
    slugs = (getattr(kind, "slug", "") for kind in type(refused).__mro__)
    return next(known[slug] for slug in slugs if slug in known)


def answer(request: HttpRequest, refused: CrowdRouterError, *, workflow: str = "") -> HttpResponseBase:
    """`workflow` is the name in the address, if there is one; of the name there may be no workflow."""
    kind = kind_of(refused)
    url, label = _way_out(request, refused, workflow)
    sign_in = _sign_in() if isinstance(refused, AuthenticationError) and not _is_signed_in(request) else None
    if wants_json(request):
        members = {**refused.extra, "way_out": url, **({"sign_in": sign_in} if sign_in else {})}
        return problem_response(kind.slug, refused.detail, **members)
    if sign_in:
        return redirect_to_login(request.get_full_path(), sign_in)
    context = {
        "code": kind.status,
        "title": TITLES.get(kind.slug, OTHER),
        "sentence": refused.detail,
        "url": url,
        "label": label,
        "crowd_index": Addresses(request).index(),
    }
    return render(request, "routing/refused.html", context, status=kind.status)


def _way_out(request: HttpRequest, refused: CrowdRouterError, workflow: str) -> tuple[str, str]:
    """Where one can go on, and what to call it."""
    addresses = Addresses(request)
    if not workflow:
        return get_script_prefix(), _("To the start")
    if isinstance(refused, NoWorkFlowFoundError | AuthenticationError | RequestsUsedUp):
        return addresses.index(), _("To the overview")
    if isinstance(refused, NoTaskFoundError):
        return addresses.workflow(workflow), _("To the beginning")
    if isinstance(refused, PipelineError):
        # Not to a step by its name: of a first one that would begin anew.
        return addresses.workflow(workflow), _("To the present step")
    return request.path, _("Try again")


def _is_signed_in(request: HttpRequest) -> bool:
    return bool(getattr(getattr(request, "user", None), "is_authenticated", False))


def _sign_in() -> str | None:
    """Where people sign in, if the host has such a page, or has it elsewhere."""
    try:
        url = resolve_url(settings.LOGIN_URL)
        if url.startswith("/") and not url.startswith("//"):
            resolve(url.partition("?")[0].removeprefix(get_script_prefix().rstrip("/")))
    except (NoReverseMatch, Resolver404):
        return None
    return url
