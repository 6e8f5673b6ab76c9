"""Pipelines that live in somebody's session: where one is, and the move from one task to the next.

The session says where a pipeline is; that it moves once, though two requests ask at the same time from the same
session, is a unique row (Move), inserted in the transaction in which the POST is carried out: the second waits for the
first, and is told. A POST that fails leaves the pipeline where it was, and its session and database as they were.
"""

import copy
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from queues.transactions import database_now, is_unique_violation, writer
from routing.choices import AbstractCrowdChoice, AbstractFanOut, AbstractLoopCondition
from routing.exceptions import CrowdChoiceError, PipelineError
from routing.models import Move
from routing.realizing import realize
from routing.requests import GET, POST, STEP_FIELD, CrowdRequest, RequestStrategy, join, own
from routing.responses import CrowdResponse

SESSION_PIPELINE_KEY = "cr_pipe"
SESSION_DATA_KEY = "cr_data"
SESSION_MOVE_KEY = "cr_move"

MOVES_KEPT = timedelta(days=30)
"""Longer than a session lives: Django's live for two weeks."""

PATIENCE = timedelta(seconds=60)
"""How long after a move a session that still stands before it may be one that is about to be saved. Later it was lost,
as that of a process that died, or a cookie that never arrived, and the step is done again."""


@dataclass(frozen=True)
class Place:
    """Where a pipeline is: `index` in its order, the `number` of its next move, and what it has gathered."""

    token: str
    number: int
    index: int
    data: dict[str, Any]

    @property
    def step(self) -> str:
        return f"{self.token}:{self.number}"


def position(workflow: Any, index: int, kind: Any) -> str:
    """How a session says where a pipeline is."""
    return f"{workflow.get_name()}/{index}/{kind.get_name()}"


def present_name(workflow: Any, session: Any) -> str | None:
    """The name of the element at which the session's pipeline of this workflow is."""
    found, mine = str(session.get(SESSION_PIPELINE_KEY) or ""), f"{workflow.get_name()}/"
    return found.removeprefix(mine).partition("/")[2] or None if found.startswith(mine) else None


def present_step(session: Any) -> str | None:
    """What a form must bring back as `crowd_step`, if it does."""
    return session.get(SESSION_MOVE_KEY) if session.get(SESSION_PIPELINE_KEY) else None


def carry_out(workflow: Any, crowd_request: CrowdRequest, order: Sequence[Any]) -> CrowdResponse:
    """Carry out a request at the place where its session's pipeline is. Raises PipelineError, CrowdChoiceError."""
    for kind in order:
        if issubclass(kind, AbstractFanOut):
            raise PipelineError(f"{kind.get_name()} fans out, which only a run can: start the workflow instead.")
    session = crowd_request.get_session()
    place = _place(workflow, session, order)
    _require_present_step(workflow, crowd_request, place)
    begins = place is None or not _is_for(workflow, crowd_request, order[place.index])
    if begins:
        _require_first(workflow, crowd_request, order, place)
    if crowd_request.get_method() == GET:
        return _show(workflow, crowd_request, order, None if begins else place)
    return _take(workflow, crowd_request, order, None if begins else place)


def _place(workflow: Any, session: Any, order: Sequence[Any]) -> Place | None:
    """Where the session's pipeline is in this order, if it is one of this workflow and the order has not changed."""
    found = session.get(SESSION_PIPELINE_KEY)
    for index, kind in enumerate(order):
        if found == position(workflow, index, kind):
            token, _colon, number = str(session.get(SESSION_MOVE_KEY) or f"{secrets.token_hex(16)}:0").partition(":")
            return Place(token, int(number), index, session.get(SESSION_DATA_KEY) or {})
    return None


def _require_present_step(workflow: Any, crowd_request: CrowdRequest, place: Place | None) -> None:
    """Raises PipelineError for a form that was made for another step, or for a step that is there no more."""
    if crowd_request.get_method() != POST:
        return
    asked = crowd_request.get_form().get(STEP_FIELD)
    if asked is not None and (place is None or asked != place.step):
        raise PipelineError("This step was answered before, perhaps in another window. Look at the present one.")
    gone = present_name(workflow, crowd_request.get_session())
    if place is None and gone is not None and not crowd_request.named:
        raise PipelineError(f"{workflow.get_name()} has changed, and is at {gone} no more. Look at it anew.")


def _is_for(workflow: Any, crowd_request: CrowdRequest, kind: Any) -> bool:
    """Whether a request is one for this element: it names it, a task below it, or none at all."""
    if not crowd_request.named or type(crowd_request.task) is kind:
        return True
    return type(crowd_request.task) in workflow.known_tasks([kind]).values()


def _require_first(workflow: Any, crowd_request: CrowdRequest, order: Sequence[Any], place: Place | None) -> None:
    """A pipeline begins with its first task. Raises PipelineError for another, or for an answer that comes too late."""
    if not _is_for(workflow, crowd_request, order[0]):
        at = f"is at {order[place.index].get_name()}" if place else f"begins with {order[0].get_name()}"
        raise PipelineError(f"{crowd_request.task.get_name()} is not next: {workflow.get_name()} {at}.")
    if place and crowd_request.get_method() == POST:
        raise PipelineError(
            f"{crowd_request.task.get_name()} was answered before: {workflow.get_name()} is at "
            f"{order[place.index].get_name()}. Open {order[0].get_name()} to begin anew."
        )


def _begin(workflow: Any, order: Sequence[Any], token: str) -> Place:
    pipe_data: dict[str, Any] = {}
    workflow.pre_pipeline(realize(order[0], workflow, "workflow"), pipe_data)
    return Place(token, 0, 0, pipe_data)


def _token(workflow: Any, session: Any) -> str:
    """The name of a pipeline that a POST begins: two that come at once from one stored session begin the same one."""
    key = getattr(session, "session_key", None)
    if not key:
        return secrets.token_hex(16)
    seed = f"{key}/{workflow.get_name()}/{session.get(SESSION_MOVE_KEY) or ''}"
    return hashlib.sha256(seed.encode()).hexdigest()[:32]


def _store(workflow: Any, session: Any, order: Sequence[Any], place: Place) -> None:
    """Put a place into the session; none is left where it is beyond the last element."""
    ended = place.index == len(order)
    session[SESSION_PIPELINE_KEY] = None if ended else position(workflow, place.index, order[place.index])
    session[SESSION_DATA_KEY] = None if ended else place.data
    # It stays after the end, so that the next pipeline has another token.
    session[SESSION_MOVE_KEY] = place.step


def _task_of(workflow: Any, crowd_request: CrowdRequest, kind: Any) -> tuple[Any, list[AbstractLoopCondition]]:
    """The task to carry out at an element, and the loops that it is of, the inmost first. Choices are asked."""
    loops: list[AbstractLoopCondition] = []
    passed: list[Any] = []
    while True:
        if kind in passed:
            raise CrowdChoiceError(f"{kind.get_name()} leads back to itself.")
        passed.append(kind)
        element = realize(kind, workflow, "workflow")
        if isinstance(element, AbstractCrowdChoice):
            kind = element.choice(crowd_request)
        elif isinstance(element, AbstractLoopCondition):
            element.require_authentication(crowd_request)
            kind = element.task
            loops.insert(0, element)
        else:
            return element, loops


def _show(workflow: Any, crowd_request: CrowdRequest, order: Sequence[Any], place: Place | None) -> CrowdResponse:
    """Carry out a GET. The session is written only where a pipeline begins, or the task changed the pipe data."""
    kept = place
    if place is None:
        place = _begin(workflow, order, secrets.token_hex(16))
    place = replace(place, data=copy.deepcopy(place.data))
    crowd_request.pipe_data = place.data
    crowd_request.task, _loops = _task_of(workflow, crowd_request, order[place.index])
    response: CrowdResponse = crowd_request.task.execute(crowd_request)
    if place != kept:
        _store(workflow, crowd_request.get_session(), order, place)
    return response


def _take(workflow: Any, crowd_request: CrowdRequest, order: Sequence[Any], place: Place | None) -> CrowdResponse:
    """Carry out a POST and move on: the response of the next task's GET, or the last one's own."""
    session, visits = crowd_request.get_session(), crowd_request.visits
    before = len(visits)
    try:
        with transaction.atomic():
            token, number = (place.token, place.number) if place else (_token(workflow, session), 0)
            _claim(token, number)
            place = place or _begin(workflow, order, token)
            response, place = _answer(workflow, crowd_request, order, place)
            _require_storable(session, place.data)
            # The time at which it was done, as nearly as that can be known within it.
            Move.objects.filter(token=token, number=number).update(at=Now())
    except BaseException:
        del visits[before:]
        raise
    _store(workflow, session, order, place)
    if place.index == len(order):
        return response
    try:
        return _show(workflow, _following(workflow, crowd_request, response), order, place)
    except Exception:
        keep(session)
        raise


def _answer(
    workflow: Any, crowd_request: CrowdRequest, order: Sequence[Any], place: Place
) -> tuple[CrowdResponse, Place]:
    """Carry out a POST where the pipeline is: the response, and the place behind it."""
    pipe_data = copy.deepcopy(place.data)
    crowd_request.pipe_data = pipe_data
    named = type(crowd_request.task)
    task, loops = _task_of(workflow, crowd_request, order[place.index])
    if crowd_request.named and not named.parts() and type(task) is not named:
        raise PipelineError(f"{named.get_name()} is not next: {workflow.get_name()} now goes to {task.get_name()}.")
    crowd_request.task = task
    response: CrowdResponse = task.execute(crowd_request)
    following = _following(workflow, crowd_request, response)
    again = any(loop.asks_again(following) for loop in loops)
    index = place.index if again else place.index + 1
    if index == len(order):
        workflow.post_pipeline(task, response, pipe_data)
    else:
        workflow.step_pipeline(order[index], task, response, pipe_data)
    return response, Place(place.token, place.number + 1, index, pipe_data)


def _claim(token: str, number: int) -> None:
    """Raises PipelineError where another request has made this move, or makes it now."""
    began = monotonic()
    try:
        with transaction.atomic():
            Move.objects.create(token=token, number=number, at=Now())
    except IntegrityError as error:
        if not is_unique_violation(error, Move):
            raise
        # Since it began, this request may have waited for the other.
        latest = database_now() - timedelta(seconds=monotonic() - began) - PATIENCE
        if not Move.objects.filter(token=token, number=number, at__lt=latest).update(at=Now()):
            raise PipelineError("This step was answered a moment ago. Look at the present one.") from None


def _require_storable(session: Any, pipe_data: dict[str, Any]) -> None:
    """Raises what Django's session would raise when it is saved, in time for the answer to be undone."""
    serializer = getattr(session, "serializer", None)
    if serializer is not None:
        serializer().dumps(pipe_data)


def keep(session: Any) -> None:
    """Save a session whose pipeline has moved on although the request fails: Django saves none after an error (500)."""
    if hasattr(session, "save") and not connection.in_atomic_block:
        session.save()


def _following(workflow: Any, crowd_request: CrowdRequest, response: CrowdResponse) -> CrowdRequest:
    """The request for the next task: a GET, with what the POST gave joined to its data."""
    before = crowd_request.request_strategy
    data = own(before.data)
    join(data, response.response)
    strategy = RequestStrategy(before.request, GET, before.path, before.session, data, before.form)
    following = CrowdRequest(workflow, crowd_request.task, strategy, response)
    following.pipe_data, following.visits = crowd_request.pipe_data, crowd_request.visits
    return following


@writer
def purge_moves(*, limit: int = 5000, now: datetime | None = None) -> int:
    """Forget up to `limit` moves that no session can come back to any more; how many it was."""
    old = Move.objects.filter(at__lt=database_now(now) - MOVES_KEPT).order_by("at").values_list("pk", flat=True)
    return Move.objects.filter(pk__in=list(old[:limit])).delete()[0]
