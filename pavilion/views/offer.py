"""An offer: what it is about, and accepting it."""

import secrets
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from pavilion import links, marketplaces, pay, pool, submitting, workers
from pavilion.marketplaces import Marketplace, Visitor
from pavilion.models import Hire, Seat, Session
from pavilion.states import LIVE, OFFERED, SeatStatus
from pavilion.views.framing import page
from queues import markdown
from queues.exceptions import CrowdError

NAME_LENGTH = 60
GUEST = "pavilion.guest"


# Who accepts is known by the link, and by no cookie: a browser brings nothing along that another site could misuse.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def offer(request: HttpRequest, link: str) -> HttpResponseBase:
    """GET: what is offered; a preview creates nothing. POST: accept it, and on to the room."""
    try:
        found = links.offer(link)
    except links.BadLink:
        return _gone(request)
    session = Session.objects.select_related("pool__queue", "pool__backlog_queue").filter(pk=found.session_id).first()
    if session is None:
        return _gone(request)
    marketplace = marketplaces.of(session.pool.marketplace)
    visitor = marketplace.visitor(request.GET.dict())
    if request.method != "POST" and visitor and (seat := _taken(session, marketplace, visitor)):
        return _to_room(seat)
    if request.method == "POST" and not (visitor and visitor.preview):
        try:
            return _accept(request, session, found.hire_id, marketplace, visitor)
        except CrowdError as refused:
            return _show(request, session, found.hire_id, marketplace, visitor, why=refused.detail, status=409)
    return _show(request, session, found.hire_id, marketplace, visitor)


def _accept(
    request: HttpRequest, session: Session, hire_id: int | None, marketplace: Marketplace, visitor: Visitor | None
) -> HttpResponse:
    """Raises CrowdError."""
    queues = [queue for queue in (session.pool.queue, session.pool.backlog_queue) if queue is not None]
    if visitor is None:
        identity, name = _guest(request), request.POST.get("name", "").replace("\x00", "").strip()[:NAME_LENGTH]
        how: dict[str, Any] = {}
    else:
        identity, name = visitor.worker, ""
        url = visitor.submit_url if submitting.is_allowed(marketplace, visitor.submit_url) else ""
        how = {"external_id": visitor.assignment, "submit_url": url}
    worker = workers.admit(marketplace=marketplace.slug, external_id=identity, name=name, queues=queues)
    seat = pool.join(session_id=session.pk, worker=worker, hire_id=hire_id, **how)
    return _to_room(seat)


def _taken(session: Session, marketplace: Marketplace, visitor: Visitor) -> Seat | None:
    """The seat of a visitor who has accepted it before: a marketplace shows the offer's page again on each visit.

    Of seats that have ended only those that were submitted, which may still have to be so at the marketplace.
    """
    if visitor.preview or not visitor.assignment:
        return None
    seats = Seat.objects.filter(
        session=session, external_id=visitor.assignment, status__in=[*LIVE, SeatStatus.SUBMITTED]
    )
    return seats.filter(worker__marketplace=marketplace.slug, worker__external_id=visitor.worker).first()


def _to_room(seat: Seat) -> HttpResponse:
    response = HttpResponseRedirect(reverse("crowd-pool-room", args=[links.of_seat(seat.pk)]), status=303)
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


def _guest(request: HttpRequest) -> str:
    """The identity that came with the form, so that accepting twice is once; a new one for whoever brings none."""
    try:
        return str(signing.loads(request.POST.get("guest", ""), salt=GUEST))
    except signing.BadSignature:
        return f"guest-{secrets.token_hex(8)}"


def _show(
    request: HttpRequest,
    session: Session,
    hire_id: int | None,
    marketplace: Marketplace,
    visitor: Visitor | None,
    *,
    why: str = "",
    status: int = 200,
) -> HttpResponseBase:
    """The page of the offer; `why`: it cannot be accepted just now."""
    closed = why or _closed(session, hire_id)
    context = {
        "session": session,
        "pool": session.pool,
        "description": session.pool.description,
        "waiting_instructions": markdown.render(session.pool.waiting_instructions),
        "work_instructions": markdown.render(session.pool.work_instructions),
        "an_hour": pay.for_waiting(session, 3600),
        "minutes": session.time_limit // 60,
        "preview": visitor is not None and visitor.preview,
        "named": visitor is None,
        "guest": signing.dumps(f"guest-{secrets.token_hex(8)}", salt=GUEST),
        "name_length": NAME_LENGTH,
        "why": closed,
        "again": bool(why),
    }
    return page(request, "pavilion/offer.html", context, marketplace=marketplace, status=status)


def _closed(session: Session, hire_id: int | None) -> str:
    """Why nobody can accept it; "": one can."""
    if not session.is_live:
        return _("This session is over.")
    if hire_id is not None and not Hire.objects.filter(pk=hire_id, session=session, status__in=OFFERED).exists():
        return _("This invitation has been used, or was taken back.")
    return ""


def _gone(request: HttpRequest) -> HttpResponseBase:
    return page(request, "pavilion/gone.html", {}, marketplace=None, status=404)
