"""The room of a seat: where its worker waits, is promoted, and works."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from assignments.views import sockets
from assignments.views.sentences import WORKBENCH
from assignments.views.vendor import library
from pavilion import links, marketplaces, pool, standing, submitting
from pavilion.exceptions import SeatElsewhere, SeatOver
from pavilion.models import Seat
from pavilion.states import SeatStatus
from pavilion.views.framing import page
from pavilion.views.sentences import ROOM
from queues import markdown, strictjson
from queues.api.problems import problem_response
from queues.models import Queue

BODY_MAX = 1000


@require_safe
def room(request: HttpRequest, link: str) -> HttpResponseBase:
    """The page; what it shows its scripts find out."""
    seat = _seat(link)
    if seat is None:
        return page(request, "pavilion/gone.html", {}, marketplace=None, status=404)
    of = seat.session.pool
    queue = of.queue if seat.status != SeatStatus.WAITING or of.backlog_queue is None else of.backlog_queue
    context = {
        "seat": seat,
        "pool": of,
        "queue": queue,
        "instructions": markdown.render(queue.instructions),
        "waiting_instructions": markdown.render(of.waiting_instructions),
        "work_instructions": markdown.render(of.work_instructions),
        "room": _data(seat, link, queue),
        "room_texts": ROOM,
        "data": _workbench(queue),
        "texts": WORKBENCH,
    }
    return page(request, "pavilion/room.html", context, marketplace=marketplaces.of(of.marketplace))


def _seat(link: str) -> Seat | None:
    try:
        seat_id = links.seat(link)
    except links.BadLink:
        return None
    rows = Seat.objects.select_related("session__pool__queue", "session__pool__backlog_queue", "worker")
    return rows.filter(pk=seat_id).first()


def _data(seat: Seat, link: str, queue: Queue) -> dict[str, Any]:
    """What the room's scripts need."""
    return {
        "seat": seat.pk,
        "worker": seat.worker_id,
        "title": seat.session.pool.title,
        "queue": queue.name,
        "submits": bool(seat.submit_url),
        "worksOn": "backlog" if queue.pk == seat.session.pool.backlog_queue_id else "work",
        "enter": reverse("crowd-pool-enter", args=[link]),
        "addresses": {
            name: reverse(f"crowd-seat{suffix}")
            for name, suffix in {"state": "", "confirm": "-confirm", "submit": "-submit", "giveBack": "-return"}.items()
        },
    }


def _workbench(queue: Queue) -> dict[str, Any]:
    """What the workbench's scripts need: the same as on its own page, by the addresses of the seat."""
    of_assignment = {name: reverse(f"crowd-seat-{name}", args=[0]) for name in ("finalize", "skip", "extend")}
    return {
        "queue": queue.name,
        "title": str(queue),
        "inputSchema": queue.input_schema,
        "outputSchema": queue.output_schema,
        "longestLease": queue.max_lease_seconds,
        "addresses": {
            **of_assignment,
            "assignment": reverse("crowd-seat-assignment", args=[0]),
            "grab": reverse("crowd-seat-grab"),
            "formLibrary": library("jedison.js"),
            "socket": "",
        },
    }


# The link is what says who asks, and no cookie.
@csrf_exempt
@require_POST
def enter(request: HttpRequest, link: str) -> HttpResponse:
    """Let a window speak for the seat, {"connection": null}, or give one that does a fresh token, by its number.

    Answers with the seat's state, and with the token while the seat lives. `submit`: the form that ends a submitted
    seat's assignment at its marketplace, null where there is none. 409 where another window speaks for the seat.
    """
    seat = _seat(link)
    if seat is None:
        return problem_response("not-found", "There is no such seat.")
    try:
        connection = _connection(request)
    except ValueError:
        return problem_response("invalid-input", "Send an object whose `connection` is a number or null.")
    token = None
    if seat.live:
        try:
            if connection is None:
                connection = pool.enter(seat_id=seat.pk).connection
            elif connection != seat.connection:
                raise SeatElsewhere("You have opened this in another window.")
            token = links.token(seat_id=seat.pk, connection=connection)
        except SeatElsewhere as refused:
            return problem_response(refused.slug, refused.detail)
        except SeatOver:
            # It ended in this moment; its state says how.
            token = None
    state = standing.of(seat.pk)
    answer = {
        "token": token,
        "connection": connection,
        "session": seat.session_id,
        "socket": sockets.address(request, f"/ws/pool/{seat.session_id}/"),
        "state": standing.as_json(state),
        "submit": submitting.form(seat) if state.status == SeatStatus.SUBMITTED else None,
    }
    response = JsonResponse(answer)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _connection(request: HttpRequest) -> int | None:
    """Raises ValueError."""
    said = strictjson.loads(request.body[:BODY_MAX])
    connection = said.get("connection") if isinstance(said, dict) else False
    if connection is None:
        return None
    if isinstance(connection, bool) or not isinstance(connection, int):
        raise ValueError
    return connection
