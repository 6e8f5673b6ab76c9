"""Who may do what: every address of the site × everybody × what is theirs and what is another's.

One row for each method and address, one column for each person. 401: who are you; 404: not for your eyes, and then the
answer is to the byte the one for what does not exist; 403: you see it and may not; else the status of success.

The queue `digits` is managed by mia (the manager's column); rick (requester) and rosa post to it, alice (reviewer) and
bob review in it. The queue `foreign` is somebody else's. Whose object a row is about stands behind its address:

- mine: the person's own (their assignment, their token; the requester's task and run; the reviewer's own entry)
- team: of the same queue, but another's (rosa's task, bob's assignment)
- else: of the queue `foreign`, or of a person who has nothing to do with one

Where it stands in the body, that is named behind a #.

The demo's workflow at `/crowd/` is open to everybody; without a form, its tasks have nothing to take (400).

Beside it stand the same for sockets and their commands (tests/site/test_authorize_sockets.py), for windows of pools'
workers (test_authorize_seats.py) and for staff in the admin (tests/admin/test_authorize.py).

All assignments here are still in hand, so none is among what somebody did (`/desk/done/{assignment}/`).
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from pavilion import links, pool, pools, sessions, workers
from pavilion.models import Payment
from queues import administration, notifications
from queues.models import Delivery, Queue
from queues.notifications import NotificationDraft
from queues.states import DeliveryStatus, Level
from tests import cast
from tests.api import flows
from tests.api.calling import ROOT, Caller

pytestmark = pytest.mark.django_db

PEOPLE = ("anonymous", "stranger", "reviewer", "requester", "manager", "operator")

TABLE = """
method  address                                  whose  anonymous stranger reviewer requester manager operator
GET     /                                        -      200       200      200      200       200     200
POST    /                                        -      405       405      405      405       405     405
GET     /healthz                                 -      200       200      200      200       200     200
POST    /healthz                                 -      405       405      405      405       405     405
GET     /readyz                                  -      200       200      200      200       200     200
POST    /readyz                                  -      405       405      405      405       405     405
GET     /courierz                                -      200       200      200      200       200     200
POST    /courierz                                -      405       405      405      405       405     405
GET     /metrics                                 -      401       403      403      403       403     200
POST    /metrics                                 -      405       405      405      405       405     405
GET     /api/schema/                             -      200       200      200      200       200     200
GET     /api/docs/                               -      200       200      200      200       200     200

GET     /login/                                  -      200       302      302      302       302     302
POST    /login/                                  -      200       302      302      302       302     302
GET     /admin/login/                            -      200       200      200      200       200     302
POST    /admin/login/                            -      200       200      200      200       200     200
GET     /logout/                                 -      405       405      405      405       405     405
POST    /logout/                                 -      302       302      302      302       302     302
GET     /desk/                                   -      302       200      200      200       200     200
POST    /desk/                                   -      302       405      405      405       405     405
GET     /desk/queues/{queue}/                    team   302       404      200      403       403     403
GET     /desk/queues/{queue}/                    else   302       404      404      404       404     403
POST    /desk/queues/{queue}/                    team   302       405      405      405       405     405
POST    /desk/queues/{queue}/                    else   302       405      405      405       405     405
GET     /desk/done/                              -      302       200      200      200       200     200
POST    /desk/done/                              -      302       405      405      405       405     405
GET     /desk/done/{assignment}/                 mine   302       404      404      404       404     404
GET     /desk/done/{assignment}/                 team   302       404      404      404       404     404
GET     /desk/done/{assignment}/                 else   302       404      404      404       404     404
POST    /desk/done/{assignment}/                 mine   302       405      405      405       405     405
POST    /desk/done/{assignment}/                 team   302       405      405      405       405     405
POST    /desk/done/{assignment}/                 else   302       405      405      405       405     405
GET     /desk/metrics/                           -      302       200      200      200       200     200
POST    /desk/metrics/                           -      302       405      405      405       405     405

GET     /api/v1/queues/                          -      401       200      200      200       200     200
POST    /api/v1/queues/                          -      401       403      403      403       201     201
GET     /api/v1/queues/{queue}/                  team   401       404      200      200       200     200
GET     /api/v1/queues/{queue}/                  else   401       404      404      404       404     200
PATCH   /api/v1/queues/{queue}/                  team   401       404      403      403       200     200
PATCH   /api/v1/queues/{queue}/                  else   401       404      404      404       404     200
DELETE  /api/v1/queues/{queue}/                  team   401       404      403      403       204     204
DELETE  /api/v1/queues/{queue}/                  else   401       404      404      404       404     204
GET     /api/v1/queues/{queue}/stats/            team   401       404      403      200       200     200
GET     /api/v1/queues/{queue}/stats/            else   401       404      404      404       404     200
POST    /api/v1/queues/{queue}/grab/             team   401       404      200      403       403     403
POST    /api/v1/queues/{queue}/grab/             else   401       404      404      404       404     403
GET     /api/v1/queues/{queue}/tasks/            team   401       404      200      200       200     200
GET     /api/v1/queues/{queue}/tasks/            else   401       404      404      404       404     200
POST    /api/v1/queues/{queue}/tasks/            team   401       404      403      201       201     201
POST    /api/v1/queues/{queue}/tasks/            else   401       404      404      404       404     201

GET     /api/v1/queues/{queue}/members/          team   401       404      403      403       200     200
GET     /api/v1/queues/{queue}/members/          else   401       404      404      404       404     200
POST    /api/v1/queues/{queue}/members/          team   401       404      403      403       201     201
POST    /api/v1/queues/{queue}/members/          else   401       404      404      404       404     201
GET     /api/v1/queues/{queue}/members/{member}/ team   401       404      403      403       200     200
GET     /api/v1/queues/{queue}/members/{member}/ else   401       404      404      404       404     200
PATCH   /api/v1/queues/{queue}/members/{member}/ team   401       404      403      403       200     200
PATCH   /api/v1/queues/{queue}/members/{member}/ else   401       404      404      404       404     200
DELETE  /api/v1/queues/{queue}/members/{member}/ team   401       404      403      403       204     204
DELETE  /api/v1/queues/{queue}/members/{member}/ else   401       404      404      404       404     204

GET     /api/v1/tasks/                           -      401       200      200      200       200     200
GET     /api/v1/tasks/{task}/                    mine   401       404      404      200       200     200
GET     /api/v1/tasks/{task}/                    team   401       404      404      404       200     200
GET     /api/v1/tasks/{task}/                    else   401       404      404      404       404     200
PATCH   /api/v1/tasks/{task}/                    mine   401       404      404      200       200     200
PATCH   /api/v1/tasks/{task}/                    team   401       404      404      404       200     200
PATCH   /api/v1/tasks/{task}/                    else   401       404      404      404       404     200
POST    /api/v1/tasks/{task}/cancel/             mine   401       404      404      200       200     200
POST    /api/v1/tasks/{task}/cancel/             team   401       404      404      404       200     200
POST    /api/v1/tasks/{task}/cancel/             else   401       404      404      404       404     200
GET     /api/v1/tasks/{task}/judgments/          mine   401       404      404      200       200     200
GET     /api/v1/tasks/{task}/judgments/          team   401       404      404      404       200     200
GET     /api/v1/tasks/{task}/judgments/          else   401       404      404      404       404     200
POST    /api/v1/tasks/{task}/assign/             mine   401       404      200      403       403     403
POST    /api/v1/tasks/{task}/assign/             team   401       404      200      404       403     403
POST    /api/v1/tasks/{task}/assign/             else   401       404      404      404       404     403

GET     /api/v1/assignments/                     -      401       200      200      200       200     200
GET     /api/v1/assignments/{assignment}/        mine   401       404      200      404       200     200
GET     /api/v1/assignments/{assignment}/        team   401       404      404      404       200     200
GET     /api/v1/assignments/{assignment}/        else   401       404      404      404       404     200
POST    /api/v1/assignments/{assignment}/finalize/ mine 401       404      200      404       403     403
POST    /api/v1/assignments/{assignment}/finalize/ team 401       404      404      404       403     403
POST    /api/v1/assignments/{assignment}/finalize/ else 401       404      404      404       404     403
POST    /api/v1/assignments/{assignment}/skip/   mine   401       404      200      404       403     403
POST    /api/v1/assignments/{assignment}/skip/   team   401       404      404      404       403     403
POST    /api/v1/assignments/{assignment}/skip/   else   401       404      404      404       404     403
POST    /api/v1/assignments/{assignment}/extend/ mine   401       404      200      404       403     403
POST    /api/v1/assignments/{assignment}/extend/ team   401       404      404      404       403     403
POST    /api/v1/assignments/{assignment}/extend/ else   401       404      404      404       404     403

GET     /api/v1/reviewers/                       -      401       200      200      200       200     200
GET     /api/v1/reviewers/{reviewer}/            mine   401       404      200      404       200     200
GET     /api/v1/reviewers/{reviewer}/            team   401       404      404      404       200     200
GET     /api/v1/reviewers/{reviewer}/            else   401       404      404      404       404     200
GET     /api/v1/reviewers/{reviewer}/metrics/    mine   401       404      200      404       200     200
GET     /api/v1/reviewers/{reviewer}/metrics/    team   401       404      404      404       200     200
GET     /api/v1/reviewers/{reviewer}/metrics/    else   401       404      404      404       404     200

GET     /api/v1/events/                          -      401       200      200      200       200     200
GET     /api/v1/events/?queue={queue}            team   401       404      200      200       200     200
GET     /api/v1/events/?queue={queue}            else   401       404      404      404       404     200

GET     /api/v1/notifications/                   -      401       200      200      200       200     200
POST    /api/v1/notifications/                   -      401       403      403      403       403     201
POST    /api/v1/notifications/#queue            team   401       404      403      403       201     201
POST    /api/v1/notifications/#queue            else   401       404      404      404       404     201
POST    /api/v1/notifications/#task             mine   401       404      404      201       201     201
POST    /api/v1/notifications/#task             team   401       404      404      404       201     201
POST    /api/v1/notifications/#task             else   401       404      404      404       404     201
GET     /api/v1/notifications/{notification}/    mine   401       404      404      200       200     200
GET     /api/v1/notifications/{notification}/    team   401       404      404      404       200     200
GET     /api/v1/notifications/{notification}/    else   401       404      404      404       404     200
PATCH   /api/v1/notifications/{notification}/    mine   401       404      404      200       200     200
PATCH   /api/v1/notifications/{notification}/    team   401       404      404      404       200     200
PATCH   /api/v1/notifications/{notification}/    else   401       404      404      404       404     200
DELETE  /api/v1/notifications/{notification}/    mine   401       404      404      204       204     204
DELETE  /api/v1/notifications/{notification}/    team   401       404      404      404       204     204
DELETE  /api/v1/notifications/{notification}/    else   401       404      404      404       404     204
POST    /api/v1/notifications/{notification}/test/ mine 401       404      404      202       202     202
POST    /api/v1/notifications/{notification}/test/ team 401       404      404      404       202     202
POST    /api/v1/notifications/{notification}/test/ else 401       404      404      404       404     202
POST    /api/v1/notifications/{notification}/rotate/ mine 401     404      404      200       403     200
POST    /api/v1/notifications/{notification}/rotate/ team 401     404      404      404       200     200
POST    /api/v1/notifications/{notification}/rotate/ else 401     404      404      404       404     200
POST    /api/v1/notifications/{notification}/disable/ mine 401    404      404      200       403     200
POST    /api/v1/notifications/{notification}/disable/ team 401    404      404      404       200     200
POST    /api/v1/notifications/{notification}/disable/ else 401    404      404      404       404     200
POST    /api/v1/notifications/{notification}/enable/ mine 401     404      404      409       403     409
POST    /api/v1/notifications/{notification}/enable/ team 401     404      404      404       409     409
POST    /api/v1/notifications/{notification}/enable/ else 401     404      404      404       404     409
GET     /api/v1/notifications/{notification}/deliveries/ mine 401 404      404      200       200     200
GET     /api/v1/notifications/{notification}/deliveries/ team 401 404      404      404       200     200
GET     /api/v1/notifications/{notification}/deliveries/ else 401 404      404      404       404     200

GET     /api/v1/deliveries/{delivery}/           mine   401       404      404      200       200     200
GET     /api/v1/deliveries/{delivery}/           team   401       404      404      404       200     200
GET     /api/v1/deliveries/{delivery}/           else   401       404      404      404       404     200
POST    /api/v1/deliveries/{delivery}/replay/    mine   401       404      404      200       200     200
POST    /api/v1/deliveries/{delivery}/replay/    team   401       404      404      404       200     200
POST    /api/v1/deliveries/{delivery}/replay/    else   401       404      404      404       404     200
POST    /api/v1/deliveries/replay/               -      401       200      200      200       200     200
POST    /api/v1/deliveries/replay/#notification mine 401       404      404      200       200     200
POST    /api/v1/deliveries/replay/#notification team 401       404      404      404       200     200
POST    /api/v1/deliveries/replay/#notification else 401       404      404      404       404     200

GET     /api/v1/tokens/                          -      401       200      200      200       200     200
POST    /api/v1/tokens/                          -      401       201      201      201       201     201
GET     /api/v1/tokens/{token}/                  mine   401       200      200      200       200     200
GET     /api/v1/tokens/{token}/                  else   401       404      404      404       404     404
DELETE  /api/v1/tokens/{token}/                  mine   401       204      204      204       204     204
DELETE  /api/v1/tokens/{token}/                  else   401       404      404      404       404     404

GET     /api/v1/projects/                        -      401       200      200      200       200     200
POST    /api/v1/projects/                        -      401       403      403      403       201     201
GET     /api/v1/projects/{project}/              team   401       404      404      404       200     200
GET     /api/v1/projects/{project}/              else   401       404      404      404       404     200
PATCH   /api/v1/projects/{project}/              team   401       404      404      404       200     200
PATCH   /api/v1/projects/{project}/              else   401       404      404      404       404     200
GET     /api/v1/pools/                           -      401       200      200      200       200     200
POST    /api/v1/pools/                           team   401       400      403      403       201     201
POST    /api/v1/pools/                           else   401       400      400      400       400     201
GET     /api/v1/pools/{pool}/                    team   401       404      404      404       200     200
GET     /api/v1/pools/{pool}/                    else   401       404      404      404       404     200
PATCH   /api/v1/pools/{pool}/                    team   401       404      404      404       200     200
PATCH   /api/v1/pools/{pool}/                    else   401       404      404      404       404     200
DELETE  /api/v1/pools/{pool}/                    team   401       404      404      404       409     409
DELETE  /api/v1/pools/{pool}/                    else   401       404      404      404       404     409
POST    /api/v1/pools/{pool}/clone/              team   401       404      404      404       201     201
POST    /api/v1/pools/{pool}/clone/              else   401       404      404      404       404     201
POST    /api/v1/pools/{pool}/post/               team   401       404      404      404       409     409
POST    /api/v1/pools/{pool}/post/               else   401       404      404      404       404     409

GET     /api/v1/sessions/                        -      401       200      200      200       200     200
GET     /api/v1/sessions/{session}/              team   401       404      404      404       200     200
GET     /api/v1/sessions/{session}/              else   401       404      404      404       404     200
PATCH   /api/v1/sessions/{session}/              team   401       404      404      404       200     200
PATCH   /api/v1/sessions/{session}/              else   401       404      404      404       404     200
POST    /api/v1/sessions/{session}/start/        team   401       404      404      404       200     200
POST    /api/v1/sessions/{session}/start/        else   401       404      404      404       404     200
POST    /api/v1/sessions/{session}/stop/         team   401       404      404      404       200     200
POST    /api/v1/sessions/{session}/stop/         else   401       404      404      404       404     200
POST    /api/v1/sessions/{session}/expire/       team   401       404      404      404       200     200
POST    /api/v1/sessions/{session}/expire/       else   401       404      404      404       404     200
POST    /api/v1/sessions/{session}/migrate/      team   401       404      404      404       409     409
POST    /api/v1/sessions/{session}/migrate/      else   401       404      404      404       404     409
POST    /api/v1/sessions/{session}/hire/         team   401       404      404      404       200     200
POST    /api/v1/sessions/{session}/hire/         else   401       404      404      404       404     200
POST    /api/v1/sessions/{session}/dismiss/      team   401       404      404      404       200     200
POST    /api/v1/sessions/{session}/dismiss/      else   401       404      404      404       404     200
POST    /api/v1/sessions/{session}/block/        team   401       404      404      404       200     200
POST    /api/v1/sessions/{session}/block/        else   401       404      404      404       404     200
GET     /api/v1/sessions/{session}/invitations/  team   401       404      404      404       200     200
GET     /api/v1/sessions/{session}/invitations/  else   401       404      404      404       404     200
GET     /api/v1/sessions/{session}/seats/        team   401       404      404      404       200     200
GET     /api/v1/sessions/{session}/seats/        else   401       404      404      404       404     200
GET     /api/v1/sessions/{session}/totals/       team   401       404      404      404       200     200
GET     /api/v1/sessions/{session}/totals/       else   401       404      404      404       404     200

GET     /api/v1/payments/                        -      401       200      200      200       200     200
GET     /api/v1/payments/{payment}/              team   401       404      404      404       200     200
GET     /api/v1/payments/{payment}/              else   401       404      404      404       404     200
POST    /api/v1/payments/{payment}/send_again/   team   401       404      404      404       409     409
POST    /api/v1/payments/{payment}/send_again/   else   401       404      404      404       404     409

GET     /api/v1/seat/                            team   401       401      401      401       401     401
POST    /api/v1/seat/confirm/                    team   401       401      401      401       401     401
POST    /api/v1/seat/submit/                     team   401       401      401      401       401     401
POST    /api/v1/seat/return/                     team   401       401      401      401       401     401
POST    /api/v1/seat/grab/                       team   401       401      401      401       401     401
GET     /api/v1/seat/assignments/{assignment}/   team   401       401      401      401       401     401
POST    /api/v1/seat/assignments/{assignment}/finalize/ team 401  401      401      401       401     401
POST    /api/v1/seat/assignments/{assignment}/skip/ team 401      401      401      401       401     401
POST    /api/v1/seat/assignments/{assignment}/extend/ team 401    401      401      401       401     401

GET     /api/v1/runs/                            -      401       200      200      200       200     200
POST    /api/v1/runs/                            team   401       403      403      201       201     201
POST    /api/v1/runs/                            else   401       403      403      403       403     201
GET     /api/v1/runs/{run}/                      mine   401       404      404      200       404     200
GET     /api/v1/runs/{run}/                      team   401       404      404      404       404     200
GET     /api/v1/runs/{run}/                      else   401       404      404      404       404     200
GET     /api/v1/runs/{run}/steps/                mine   401       404      404      200       404     200
GET     /api/v1/runs/{run}/steps/                team   401       404      404      404       404     200
GET     /api/v1/runs/{run}/steps/                else   401       404      404      404       404     200
POST    /api/v1/runs/{run}/cancel/               mine   401       404      404      200       404     200
POST    /api/v1/runs/{run}/cancel/               team   401       404      404      404       404     200
POST    /api/v1/runs/{run}/cancel/               else   401       404      404      404       404     200
POST    /api/v1/runs/{run}/retry/                mine   401       404      404      409       404     409
POST    /api/v1/runs/{run}/retry/                team   401       404      404      404       404     409
POST    /api/v1/runs/{run}/retry/                else   401       404      404      404       404     409
POST    /api/v1/runs/{run}/resume/               mine   401       404      404      409       404     409
POST    /api/v1/runs/{run}/resume/               team   401       404      404      404       404     409
POST    /api/v1/runs/{run}/resume/               else   401       404      404      404       404     409

GET     /api/v1/workflows/                       -      401       200      200      200       200     200
GET     /api/v1/routers/                         -      401       403      403      403       403     200
GET     /api/v1/routers/{router}/statistics/     else   401       403      403      403       403     200
DELETE  /api/v1/routers/{router}/statistics/     else   401       403      403      403       403     204

GET     /crowd/                                  -      200       200      200      200       200     200
POST    /crowd/                                  -      405       405      405      405       405     405
GET     /crowd/{flow}/                           team   200       200      200      200       200     200
POST    /crowd/{flow}/                           team   400       400      400      400       400     400
GET     /crowd/{flow}/{step}/                    team   200       200      200      200       200     200
POST    /crowd/{flow}/{step}/                    team   400       400      400      400       400     400

GET     /pool/offer/{offer}/                     team   200       200      200      200       200     200
POST    /pool/offer/{offer}/                     team   303       303      303      303       303     303
GET     /pool/room/{room}/                       team   200       200      200      200       200     200
POST    /pool/room/{room}/                       team   405       405      405      405       405     405
GET     /pool/room/{room}/enter/                 team   405       405      405      405       405     405
POST    /pool/room/{room}/enter/                 team   200       200      200      200       200     200
GET     /pool/mturk/events/                      -      405       405      405      405       405     405
POST    /pool/mturk/events/                      -      403       403      403      403       403     403
"""

BLOCKS = [[line.split() for line in block.splitlines()] for block in TABLE.strip().split("\n\n")]
BLOCKS[0].pop(0)
ROWS = [row for block in BLOCKS for row in block]

SEAT = f"{ROOT}seat/"
"""Addresses that know nobody but who brings the token of a seat: see test_seat.py."""

ASKS = {"endpoint": "https://8.8.8.8/fresh", "events_to_notify": ["TASK_FINISHED"]}
"""A public address, where nobody is asked for one."""

GOOD_BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/queues/"): {"name": "fresh"},
    ("PATCH", "/api/v1/queues/{queue}/"): {"alias": "Fresh"},
    ("POST", "/api/v1/queues/{queue}/tasks/"): {"input_data": 1},
    ("POST", "/api/v1/queues/{queue}/members/"): {"user": "stan@example.org", "role": "requester"},
    ("PATCH", "/api/v1/queues/{queue}/members/{member}/"): {"max_live": 2},
    ("PATCH", "/api/v1/tasks/{task}/"): {"topic": "fresh"},
    ("POST", "/api/v1/tasks/{task}/assign/"): {"multitask_index": 2},
    ("POST", "/api/v1/assignments/{assignment}/finalize/"): {"data": 1},
    ("POST", "/api/v1/assignments/{assignment}/skip/"): {"seconds_to_expire": None},
    ("POST", "/api/v1/assignments/{assignment}/extend/"): {"seconds_to_expire": 600},
    ("POST", "/api/v1/tokens/"): {"name": "fresh"},
    ("POST", "/api/v1/notifications/"): {"level": "site", **ASKS},
    ("POST", "/api/v1/notifications/#queue"): {"level": "queue", "queue": "{queue}", **ASKS},
    ("POST", "/api/v1/notifications/#task"): {"level": "task", "task": "{task}", **ASKS},
    ("PATCH", "/api/v1/notifications/{notification}/"): {"strategy": "ONLY"},
    ("POST", "/api/v1/deliveries/replay/"): {"since": "2030-01-01T00:00:00Z"},
    ("POST", "/api/v1/deliveries/replay/#notification"): {
        "since": "2030-01-01T00:00:00Z",
        "notification": "{notification}",
    },
    ("POST", "/api/v1/projects/"): {"name": "Fresh"},
    ("PATCH", "/api/v1/projects/{project}/"): {"description": "Fresh"},
    ("POST", "/api/v1/pools/"): {"project": "{project}", "queue": "{queue}", "name": "fresh", "title": "Fresh"},
    ("PATCH", "/api/v1/pools/{pool}/"): {"title": "Fresh"},
    ("POST", "/api/v1/pools/{pool}/clone/"): {"name": "clone"},
    ("POST", "/api/v1/pools/{pool}/post/"): {},
    ("PATCH", "/api/v1/sessions/{session}/"): {"max_waiting": 9},
    **{
        ("POST", f"/api/v1/sessions/{{session}}/{what}/"): {} for what in ("start", "stop", "expire", "migrate", "hire")
    },
    ("POST", "/api/v1/sessions/{session}/dismiss/"): {"seat": "{seat}"},
    ("POST", "/api/v1/sessions/{session}/block/"): {"worker": "{worker}"},
    ("POST", "/api/v1/payments/{payment}/send_again/"): {},
    ("POST", "/pool/room/{room}/enter/"): {"connection": None},
    ("POST", "/api/v1/runs/"): {"workflow": "{workflow}", "input": {}},
}

MISSING: dict[str, Any] = {
    "queue": "missing",
    **dict.fromkeys(("member", "task", "assignment", "reviewer", "token", "notification", "delivery"), 999_999),
    **dict.fromkeys(("project", "pool", "session", "payment", "run"), 999_999),
    **dict.fromkeys(("offer", "room", "router"), "missing"),
}

NAMES = dict(zip(PEOPLE, (None, "stan", "alice", "rick", "mia", "olga"), strict=True))


def filled(body: Any, filling: dict[str, Any]) -> Any:
    """A body whose values `{name}` are replaced."""
    if not isinstance(body, dict):
        return body
    return {key: filling.get(str(value)[1:-1], value) for key, value in body.items()}


def asked(by: str, **where: Any) -> dict[str, int]:
    """A setting of somebody's, and a delivery that failed."""
    draft = NotificationDraft(endpoint="https://8.8.8.8/hook", events_to_notify=("TASK_FINISHED",))
    made = notifications.create(owner=cast.person(by), draft=draft, **where).notification
    sent = notifications.send_test(notification_id=made.pk)
    ended = {"status": DeliveryStatus.FAILED, "next_try_at": None, "ended_at": timezone.now()}
    Delivery.objects.filter(pk=sent.pk).update(**ended)
    return {"notification": made.pk, "delivery": sent.pk}


def pooled(queue: Queue, by: str) -> dict[str, Any]:
    """A pool for the queue in a project of somebody's, with a worker who waits and one who was paid."""
    project = pools.create_project(name=f"Study of {queue.name}", actor=cast.person(by))
    fields = {"name": "pool", "title": "Pool", "min_waiting": 1, "min_active": 1, "max_waiting": 3, "max_active": 1}
    made = pools.create_pool(project=project, queue=queue, fields=fields)
    session = sessions.post(pool_id=made.pk, actor=cast.person(by))
    names = (f"{queue.name}-1", f"{queue.name}-2")
    first, second = (workers.admit(marketplace="local", external_id=name, queues=[queue]) for name in names)
    paid = pool.join(session_id=session.pk, worker=first)
    pool.submit(seat_id=paid.pk)
    waits = pool.join(session_id=session.pk, worker=second)
    return {
        "project": project.pk,
        "pool": made.pk,
        "session": session.pk,
        "seat": waits.pk,
        "worker": second.pk,
        "payment": Payment.objects.filter(seat=paid, kind="base").get().pk,
        "offer": links.of_offer(session_id=session.pk),
        "room": links.of_seat(waits.pk),
    }


class World:
    """The queues with what is in them. `things[whose]` are the names and ids that addresses are filled with."""

    def __init__(self) -> None:
        cast.person("olga", is_staff=True)
        self.callers = {person: Caller(name) for person, name in NAMES.items()}
        for name, codename in (("mia", "add_queue"), ("olga", "operate")):
            cast.person(name).user_permissions.add(Permission.objects.get(codename=codename))
        digits = cast.queue("digits")
        foreign = administration.create_queue(name="foreign", actor=cast.person("fay"))
        cast.join(digits, "rick", "requester")
        cast.join(digits, "rosa", "requester")
        reviewers = {
            "mine": cast.join(digits, "alice"),
            "team": cast.join(digits, "bob"),
            "else": cast.join(foreign, "fred"),
        }
        self.things: dict[str, dict[str, Any]] = {"-": {}, "mine": {}, "team": {}, "else": {}}
        work = (("mine", "rick"), ("team", "rosa"), ("else", "fay"))
        for whose, by in work:
            member = reviewers[whose]
            cast.post(member.queue, by=by)
            held = cast.grab(member).assignments[0]
            self.things[whose] = {"assignment": held.pk, "reviewer": held.reviewer_id, "token": Caller("fay").token}
        for whose, by in work:
            member = reviewers[whose]
            (task,) = cast.post(member.queue, by=by)
            self.things[whose] |= {"queue": member.queue.name, "member": member.pk, "task": task.pk}
            where: dict[str, Any] = {"level": Level.QUEUE, "queue": member.queue}
            if whose == "mine":
                where = {"level": Level.TASK, "task": task}
            self.things[whose] |= asked("mia" if whose == "team" else by, **where)
        self.things["team"] |= pooled(digits, "mia")
        self.things["else"] |= pooled(foreign, "fay")
        for whose, by in work:
            workflow = flows.Translating if whose == "else" else flows.Reading
            run = workflow.start({}, by=cast.person(by))
            self.things[whose] |= {"run": run.pk, "workflow": run.name, "router": flows.Desk.get_name()}
        self.things["team"] |= {"flow": "MatchingWorkFlow", "step": "MatchTask"}

    def ask(self, person: str, method: str, address: str, whose: str, **instead: Any) -> Any:
        """One request, whose effect is undone."""
        caller = self.callers[person]
        filling = {**self.things[whose], **({"token": caller.token} if whose == "mine" else {}), **instead}
        with transaction.atomic():
            if not address.startswith(ROOT) and (name := NAMES[person]):
                caller.client.force_login(cast.person(name))
            body = filled(GOOD_BODIES.get((method, address)), filling)
            answer = caller.call(method, address.format(**filling), body)
            transaction.set_rollback(True)
        return answer


def seen_of(answer: Any) -> tuple[bytes, dict[str, str]]:
    """What the caller can tell answers apart by; `Expires` is the second in which it was made, not what it is about."""
    return answer.content, {name: value for name, value in answer.headers.items() if name != "Expires"}


@pytest.fixture
def world(db: None) -> Iterator[World]:
    with flows.registered():
        yield World()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block[0][1])
def test_everybody_gets_what_the_table_says(world: World, block: list[list[str]]) -> None:
    answered = []
    for method, address, whose, *_ in block:
        answers = {person: world.ask(person, method, address, whose) for person in PEOPLE}
        answered.append([method, address, whose, *(str(answer.status_code) for answer in answers.values())])
        for person, answer in answers.items():
            if answer.status_code in (401, 404):
                missing = world.ask(person, method, address, whose, **MISSING)
                assert seen_of(answer) == seen_of(missing), (method, address, whose)
    assert answered == block


def addresses() -> Iterator[tuple[str, set[str]]]:
    """Every address of the site with its methods, parameters as `{}`; the admin's have a test of their own."""

    def walk(resolver: URLResolver, above: str) -> Iterator[tuple[str, Any]]:
        for pattern in resolver.url_patterns:
            below = above + re.sub(r"<[^>]*>|\(\?P<\w+>[^)]*\)", "{}", str(pattern.pattern)).strip("^$")
            if isinstance(pattern, URLResolver):
                if pattern.namespace != "admin":
                    yield from walk(pattern, below)
            else:
                yield below, pattern.callback

    for address, view in walk(get_resolver(), "/"):
        if actions := getattr(view, "actions", None):
            methods = {method.upper() for method in actions}
        elif cls := getattr(view, "cls", None):
            methods = {method.upper() for method in cls.http_method_names if hasattr(cls, method)}
        else:
            methods = {"GET", "POST"}
        yield address, methods - {"HEAD", "OPTIONS"}


def plain(address: str) -> str:
    """An address of the table as `addresses` gives it."""
    return re.sub(r"{\w+}", "{}", re.split("[?#]", address)[0])


def test_every_method_of_every_address_has_a_row() -> None:
    there = {(method, address) for address, methods in addresses() for method in methods}
    assert {(method, plain(address)) for method, address, *_ in ROWS} == there


def test_every_row_stands_once() -> None:
    assert len({tuple(row[:3]) for row in ROWS}) == len(ROWS)


def test_what_an_address_does_not_know_is_405_for_those_with_a_name_and_401_for_the_others(world: World) -> None:
    known = dict(addresses())
    for address in {address for _method, address, *_ in ROWS if address.startswith(ROOT) and SEAT not in address}:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - known[plain(address)]:
            statuses = [world.ask(person, method, address, "else").status_code for person in PEOPLE]
            assert statuses == [401, *[405] * 5], (method, address)


def test_options_tell_everybody_with_a_name_the_same(world: World) -> None:
    for address in {address for _method, address, *_ in ROWS if address.startswith(ROOT) and SEAT not in address}:
        answers = [world.ask(person, "OPTIONS", address, "else") for person in PEOPLE]
        missing = world.ask("stranger", "OPTIONS", address, "else", **MISSING)
        assert answers[0].status_code == 401
        assert {(answer.status_code, answer.content) for answer in answers[1:]} == {(200, missing.content)}, address


def admin_addresses() -> list[str]:
    (admin,) = (resolver for resolver in get_resolver().url_patterns if getattr(resolver, "namespace", "") == "admin")

    def walk(resolver: Any, above: str) -> Iterator[str]:
        for pattern in resolver.url_patterns:
            below = above + re.sub(r"<[^>]*>|\(\?P<\w+>[^)]*\)", "1", str(pattern.pattern)).strip("^$")
            yield from walk(pattern, below) if isinstance(pattern, URLResolver) else [below]

    return sorted(set(walk(admin, "/admin/")) - {"/admin/login/", "/admin/logout/"})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_admin_shows_nothing_but_its_login_to_those_who_are_not_staff(world: World, method: str) -> None:
    for address in admin_addresses():
        for person in PEOPLE[:-1]:
            answer = world.ask(person, method, address, "-")
            if answer.status_code != 405:
                assert answer.status_code == 302, (person, address)
                assert answer.headers["Location"] == f"/admin/login/?next={address}"


def test_the_admin_opens_to_staff(world: World) -> None:
    assert world.ask("operator", "GET", "/admin/", "-").status_code == 200
