"""The API keeps to its own schema, whoever asks: schemathesis makes requests of it, good ones and bad ones."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation

from pavilion import links, pool
from tests.api import flows
from tests.api.test_authorization import World
from tests.hostile.fuzz import TIMES

pytestmark = pytest.mark.django_db

EVERY = 12
"""Of the requests by which schemathesis covers an operation, one in so many is sent in a usual run."""

AT_RANDOM = 5
"""And so many times TIMES at random, good and bad, where more is asked for."""

BEYOND_SCHEMAS = {
    r"Take the cursor from `next` or `previous`": "cursors are ours",
    r"There is no such (queue|project)|is not exactly one active|No router of this site": "names of what there is",
    r"There is no event type": "a list with commas in it",
    r"The session has (no such seat|had no such worker)|The run has no such step": "ids of what there is",
    r"The host .* cannot be found|The address must|This is not an address|An address has": "where webhooks may go",
    r"Enter a valid URL": "what an address is",
    r"Needed at this level|Only at the level of": "rules between fields",
    r"longest lease is|Give expire_at or seconds_to_expire|This time has passed": "rules between fields, and the clock",
    r"no more than \d+ (decimal places|digits)": "a number is counted as it is written",
    r"^(The expression|An expression must|A parenthesis)": "the grammar of expressions",
    r"NUL character|Null characters|null characters": "strings without NUL",
    r"Numbers beyond": "numbers that every reader keeps",
}
"""Why a request that is good by the schema is refused all the same: what schemas cannot say, or only at length."""


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Everybody, and what they have, for all tests of the module. Each request's effects are undone."""
    watched = (signals.request_started, signals.request_finished)
    for signal in watched:
        # The connection has a transaction open, as Django's own test client takes care of, too.
        signal.disconnect(close_old_connections)
    try:
        with django_db_blocker.unblock(), flows.registered(), transaction.atomic():
            yield World()
            transaction.set_rollback(True)
    finally:
        for signal in watched:
            signal.connect(close_old_connections)


@pytest.fixture(scope="module")
def asks(world: World) -> list[dict[str, str]]:
    """The headers by which each role is known, the worker's with a window of a seat."""
    seat = pool.enter(seat_id=world.things["team"]["seat"])
    bearers = [caller.client._credentials.get("HTTP_AUTHORIZATION") for caller in world.callers.values()]
    known = [*bearers, f"Seat {links.token(seat_id=seat.pk, connection=seat.connection)}"]
    return [{"Authorization": one} if one else {} for one in known]


@pytest.fixture(scope="module")
def schema(world: World) -> Any:
    return schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())


def cases_of(operation: Any) -> Iterator[Any]:
    """The requests to be sent to one operation."""
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    of = operation.schema
    covering = of.iter_coverage_cases(operation, generation_modes=modes, generation_config=of.config.generation)
    for number, case in enumerate(covering):
        if TIMES or number % EVERY == len(operation.label) % EVERY:
            yield case
    if TIMES:
        found = []
        for mode in modes:

            @settings(max_examples=AT_RANDOM * TIMES, database=None, suppress_health_check=list(HealthCheck))
            @given(operation.as_strategy(generation_mode=mode))
            def gather(case: Any) -> None:
                found.append(case)

            gather()
        yield from found


def lead_somewhere(case: Any, things: dict[str, Any]) -> None:
    """Let a good address be that of something that is there."""
    if case.meta is not None and not case.meta.is_negative_at(ParameterLocation.PATH):
        parts = case.path.strip("/").split("/")
        named = {
            part.strip("{}"): things.get(re.sub("ies$", "y", before).removesuffix("s"))
            for before, part in pairwise(parts)
            if part.startswith("{")
        }
        for name, to in named.items():
            if to is not None:
                declared = case.operation.get_parameter(name, "path").definition["schema"]["type"]
                case.path_parameters[name] = to if declared == "integer" else str(to)
    if isinstance(case.query, dict) and str(case.query.get("wait", "")).replace(".", "").isdigit():
        case.query["wait"] = min(case.query["wait"], 0, key=float)


def is_beyond_schemas(failure: Any, response: Any) -> bool:
    """Whether a good request was refused for what no schema can say."""
    if type(failure).__name__ != "RejectedPositiveData":
        return False
    document = response.json()
    details = [error["detail"] for error in document.get("errors", [])] or [document["detail"]]
    return all(any(re.search(rule, detail) for rule in BEYOND_SCHEMAS) for detail in details)


def faults_of(case: Any, headers: dict[str, str]) -> Iterator[str]:
    """What is wrong with the answer, in words."""
    with transaction.atomic():
        try:
            response = case.call(headers=headers)
            case.validate_response(response, headers=headers, transport_kwargs={"headers": headers})
        except FailureGroup as group:
            for failure in group.exceptions:
                if not is_beyond_schemas(failure, response):
                    sent = f"{case.method} {case.formatted_path} {case.query} {case.body!r:.300}"
                    yield f"{sent}\n  {response.status_code} {response.content[:400]!r}\n  {failure}"
        finally:
            transaction.set_rollback(True)


def test_every_operation_keeps_to_its_schema_whoever_asks(world: World, asks: Any, schema: Any) -> None:
    faults, sent = [], 0
    for found in schema.get_all_operations():
        for case in cases_of(found.ok()):
            mine = world.things["mine"] | {"session": world.things["team"]["session"]}
            lead_somewhere(case, (world.things["team"] | mine) if sent % 2 else world.things["team"])
            faults += [f"{found.ok().label}: {fault}" for fault in faults_of(case, asks[sent % len(asks)])]
            sent += 1
    assert sent > 300, sent
    assert not faults, f"{len(faults)} of {sent}:\n" + "\n".join(faults[:40])
