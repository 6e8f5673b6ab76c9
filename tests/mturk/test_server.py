"""The marketplace of the tests, as boto3 sees it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.mturk import wire
from tests.mturk.asking import FIELDS, QUESTION, hit, notified
from tests.mturk.server import CREDENTIALS, MTurk, serving
from tests.mturk.state import Unavailable

TRUSTING = Config(parameter_validation=False, retries={"total_max_attempts": 1})
"""Of a client that sends what the model forbids."""


@pytest.fixture
def client(mturk: MTurk) -> Any:
    return mturk.client()


def error(raised: Any) -> tuple[str, str]:
    """The code of an error, and its TurkErrorCode."""
    said = raised.value.response
    return said["Error"]["Code"], said.get("TurkErrorCode", "")


def worked(mturk: MTurk, hit_id: str, worker: str = "AANN") -> str:
    """The assignment that a worker has accepted and submitted."""
    number = mturk.market.accept(hit_id, worker).assignment_id
    mturk.market.submit(number, {"done": "yes"})
    return number


# The protocol


def test_a_hit_is_what_was_asked_for(client: Any) -> None:
    made = hit(client, MaxAssignments=2, RequesterAnnotation="hire-7")
    assert client.get_hit(HITId=made["HITId"])["HIT"] == made
    assert (made["HITStatus"], made["MaxAssignments"], made["NumberOfAssignmentsAvailable"]) == ("Assignable", 2, 2)
    assert made.items() >= FIELDS.items()
    assert made["RequesterAnnotation"] == "hire-7"
    assert made["Expiration"] - made["CreationTime"] == timedelta(hours=1)


def test_times_are_numbers_on_the_wire(mturk: MTurk, client: Any) -> None:
    number = hit(client)["HITId"]
    until = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)
    client.update_expiration_for_hit(HITId=number, ExpireAt=until)
    assert mturk.calls[-1] == ("UpdateExpirationForHIT", {"HITId": number, "ExpireAt": until})
    billion = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    assert wire.written("GetHIT", {"HIT": {"Expiration": billion}}) == b'{"HIT": {"Expiration": 1000000000.0}}'
    assert client.get_hit(HITId=number)["HIT"]["Expiration"] == until


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"Title": None}, "ValidationException"),
        ({"Reward": "0.055"}, "ValidationException"),
        ({"UniqueRequestToken": "x" * 65}, "ValidationException"),
        ({"Colour": "red"}, "ValidationException"),
        ({"QualificationRequirements": [{"QualificationTypeId": "1", "Comparator": "Like"}]}, "ValidationException"),
        ({"LifetimeInSeconds": "long"}, "ValidationException"),
        ({"LifetimeInSeconds": 29}, "ParameterValidationError"),
        ({"Title": "x" * 129}, "ParameterValidationError"),
    ],
)
def test_what_the_model_or_the_service_does_not_allow_is_refused(mturk: MTurk, given: Any, kind: str) -> None:
    client = boto3.client("mturk", endpoint_url=mturk.url, config=TRUSTING, **CREDENTIALS)
    # Boto3 leaves out what the model does not know, so the body is put together here.
    asked = {**FIELDS, "LifetimeInSeconds": 3600, "Question": QUESTION.format(url="https://a.example/"), **given}
    body = json.dumps({name: value for name, value in asked.items() if value is not None})
    client.meta.events.register("before-call.mturk.CreateHIT", lambda params, **_: params.update(body=body.encode()))
    with pytest.raises(ClientError) as raised:
        client.create_hit()
    assert error(raised)[0] == kind
    assert mturk.market.hits == {}


def test_an_answer_that_the_model_does_not_allow_breaks_the_test() -> None:
    running = serving()
    mturk = running.__enter__()
    mturk.market.balance = Decimal("-1.00")
    with pytest.raises(ClientError):
        mturk.client().get_account_balance()
    with pytest.raises(AssertionError, match="GetAccountBalance would answer"):
        running.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, "MissingAuthenticationTokenException"),
        ({"X-Amz-Target": f"{wire.TARGET}.MakeMoney"}, "UnknownOperationException"),
        ({"X-Amz-Target": "Other.GetHIT"}, "UnknownOperationException"),
        ({"X-Amz-Target": f"{wire.TARGET}.GetHIT"}, "SerializationException"),
    ],
)
def test_what_is_not_of_the_protocol_is_refused(mturk: MTurk, headers: Any, kind: str) -> None:
    signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/mturk-requester/aws4_request, SignedHeaders=, Signature="
    if headers:
        headers = {"Authorization": signed, "Content-Type": wire.CONTENT_TYPE, **headers}
    with pytest.raises(HTTPError) as raised:
        urlopen(Request(f"{mturk.url}/", b"{", headers))
    with raised.value as answer:
        assert (answer.code, json.loads(answer.read())["__type"]) == (400, kind)


def test_a_request_for_another_region_is_refused(mturk: MTurk) -> None:
    client = boto3.client("mturk", endpoint_url=mturk.url, **(CREDENTIALS | {"region_name": "eu-west-1"}))
    with pytest.raises(ClientError, match="us-east-1"):
        client.get_account_balance()


def test_operations_that_are_left_out_say_so(client: Any) -> None:
    with pytest.raises(client.exceptions.RequestError, match="ListReviewableHITs is not among"):
        client.list_reviewable_hits()


# HITs


def test_a_hit_type_is_made_once(client: Any) -> None:
    first, second = (client.create_hit_type(**FIELDS)["HITTypeId"] for _ in range(2))
    other = client.create_hit_type(**FIELDS | {"Reward": "0.06"})["HITTypeId"]
    assert first == second == hit(client)["HITTypeId"] != other
    asked = {"HITTypeId": other, "LifetimeInSeconds": 60, "Question": QUESTION.format(url="http://127.0.0.1/")}
    assert client.create_hit_with_hit_type(**asked)["HIT"]["Reward"] == "0.06"


@pytest.mark.parametrize("question", ["<a", "<a/>", QUESTION.format(url="http://crowd.example/")])
def test_a_question_that_is_no_external_one_is_refused(client: Any, question: str) -> None:
    with pytest.raises(client.exceptions.RequestError) as raised:
        hit(client, Question=question)
    assert error(raised) == ("RequestError", "AWS.MechanicalTurk.XMLParseError")


def test_a_token_makes_one_hit_and_says_which_for_a_day(mturk: MTurk, client: Any) -> None:
    number = hit(client, UniqueRequestToken="t-1")["HITId"]
    with pytest.raises(client.exceptions.RequestError, match=number) as raised:
        hit(client, UniqueRequestToken="t-1")
    assert error(raised) == ("RequestError", "AWS.MechanicalTurk.HitAlreadyExists")
    assert list(mturk.market.hits) == [number]
    mturk.market.pass_time(24 * 3600)
    assert hit(client, UniqueRequestToken="t-1")["HITId"] != number


def test_a_request_that_was_refused_does_not_spend_its_token(mturk: MTurk, client: Any) -> None:
    with pytest.raises(client.exceptions.RequestError):
        hit(client, Question="<a/>", UniqueRequestToken="t-1")
    hit(client, UniqueRequestToken="t-1")


def test_hits_are_listed_in_pages(client: Any) -> None:
    made = [hit(client)["HITId"] for _ in range(5)]
    pages = list(client.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 2}))
    assert [one["HITId"] for page in pages for one in page["HITs"]] == made[::-1]
    assert [page["NumResults"] for page in pages] == [2, 2, 1, 0]


def test_a_hit_expires_and_can_be_offered_again(mturk: MTurk, client: Any) -> None:
    number = hit(client, MaxAssignments=2)["HITId"]
    held = mturk.market.accept(number, "AANN").assignment_id
    client.update_expiration_for_hit(HITId=number, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    assert client.get_hit(HITId=number)["HIT"]["HITStatus"] == "Unassignable"
    with pytest.raises(Unavailable):
        mturk.market.accept(number, "ABEN")
    mturk.market.submit(held, {"done": "yes"})
    assert client.get_hit(HITId=number)["HIT"]["HITStatus"] == "Reviewable"
    client.update_expiration_for_hit(HITId=number, ExpireAt=datetime(2099, 1, 1, tzinfo=UTC))
    assert client.get_hit(HITId=number)["HIT"]["HITStatus"] == "Assignable"


def test_a_hit_is_deleted_once_nothing_waits(mturk: MTurk, client: Any) -> None:
    number = hit(client)["HITId"]
    with pytest.raises(client.exceptions.RequestError, match="status of: Reviewing, Reviewable") as raised:
        client.delete_hit(HITId=number)
    assert error(raised) == ("RequestError", "AWS.MechanicalTurk.InvalidHITState")
    done = worked(mturk, number)
    with pytest.raises(client.exceptions.RequestError):
        client.delete_hit(HITId=number)
    client.reject_assignment(AssignmentId=done, RequesterFeedback="No.")
    client.delete_hit(HITId=number)
    assert client.list_hits()["HITs"] == []
    assert client.get_hit(HITId=number)["HIT"]["HITStatus"] == "Disposed"


def test_more_assignments_are_added_once(client: Any) -> None:
    number = hit(client)["HITId"]
    asked = {"HITId": number, "NumberOfAdditionalAssignments": 3, "UniqueRequestToken": "more"}
    client.create_additional_assignments_for_hit(**asked)
    with pytest.raises(client.exceptions.RequestError):
        client.create_additional_assignments_for_hit(**asked)
    assert client.get_hit(HITId=number)["HIT"]["MaxAssignments"] == 4


def test_a_hit_of_few_does_not_become_one_of_many(client: Any) -> None:
    number = hit(client, MaxAssignments=9)["HITId"]
    with pytest.raises(client.exceptions.RequestError) as raised:
        client.create_additional_assignments_for_hit(HITId=number, NumberOfAdditionalAssignments=1)
    assert error(raised)[1] == "AWS.MechanicalTurk.InvalidMaximumAssignmentsIncrease"


def test_what_does_not_exist_is_said_so(client: Any) -> None:
    for ask, code in [
        (lambda: client.get_hit(HITId="3NONE"), "HITDoesNotExist"),
        (lambda: client.get_assignment(AssignmentId="3NONE"), "AssignmentDoesNotExist"),
        (lambda: client.update_notification_settings(HITTypeId="3NONE", Active=True), "HITTypeDoesNotExist"),
    ]:
        with pytest.raises(client.exceptions.RequestError) as raised:
            ask()
        assert error(raised)[1] == f"AWS.MechanicalTurk.{code}"


# Workers


def test_a_worker_is_sent_to_the_frame_and_submits_there(mturk: MTurk, client: Any) -> None:
    number = hit(client)["HITId"]
    got = mturk.market.accept(number, "AANN")
    page, query = got.url.split("?")
    assert page == "https://crowd.example/offer/"
    about = dict(parse_qsl(query))
    assert about == {
        "a": "1",
        "assignmentId": got.assignment_id,
        "hitId": number,
        "workerId": "AANN",
        "turkSubmitTo": mturk.url,
    }
    form = urlencode({"assignmentId": about["assignmentId"], "seat": "7 & <8>"}).encode()
    with urlopen(f"{about['turkSubmitTo']}/mturk/externalSubmit", form) as answer:
        assert answer.status == 200
    (one,) = client.list_assignments_for_hit(HITId=number)["Assignments"]
    assert (one["WorkerId"], one["AssignmentStatus"]) == ("AANN", "Submitted")
    assert "<QuestionIdentifier>seat</QuestionIdentifier><FreeText>7 &amp; &lt;8&gt;</FreeText>" in one["Answer"]
    assert one["AutoApprovalTime"] - one["SubmitTime"] == timedelta(hours=1)
    assert one["Deadline"] - one["AcceptTime"] == timedelta(minutes=10)
    assert client.get_assignment(AssignmentId=one["AssignmentId"])["Assignment"] == one


@pytest.mark.parametrize("form", [{"assignmentId": "3NONE", "a": "1"}, {"a": "1"}, {"assignmentId": "held"}])
def test_a_form_that_is_not_of_an_assignment_or_says_nothing_is_refused(mturk: MTurk, client: Any, form: Any) -> None:
    held = mturk.market.accept(hit(client)["HITId"], "AANN").assignment_id
    form = {name: held if value == "held" else value for name, value in form.items()}
    with pytest.raises(HTTPError) as raised:
        urlopen(f"{mturk.url}/mturk/externalSubmit", urlencode(form).encode())
    raised.value.close()
    assert raised.value.code == 400
    assert [one.status for one in mturk.market.assignments()] == ["Accepted"]


def test_a_preview_has_no_worker(mturk: MTurk, client: Any) -> None:
    number = hit(client)["HITId"]
    query = dict(parse_qsl(urlsplit(mturk.market.preview(number)).query))
    assert query == {"a": "1", "assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": number}


def test_a_returned_assignment_comes_back_with_the_next_worker(mturk: MTurk, client: Any) -> None:
    number = hit(client)["HITId"]
    first = mturk.market.accept(number, "AANN").assignment_id
    with pytest.raises(Unavailable):
        mturk.market.accept(number, "ABEN")
    mturk.market.return_(first)
    with pytest.raises(Unavailable):
        mturk.market.submit(first, {"late": "yes"})
    assert mturk.market.accept(number, "ABEN").assignment_id == first


def test_a_worker_does_a_hit_once(mturk: MTurk, client: Any) -> None:
    number = hit(client, MaxAssignments=2)["HITId"]
    worked(mturk, number)
    with pytest.raises(Unavailable):
        mturk.market.accept(number, "AANN")


def test_a_blocked_worker_gets_nothing(mturk: MTurk, client: Any) -> None:
    with pytest.raises(ClientError) as raised:
        client.create_worker_block(WorkerId="AANN", Reason="Why?")
    assert error(raised)[0] == "ParameterValidationError"
    worked(mturk, hit(client)["HITId"])
    client.create_worker_block(WorkerId="AANN", Reason="Rude.")
    number = hit(client)["HITId"]
    with pytest.raises(Unavailable):
        mturk.market.accept(number, "AANN")
    client.delete_worker_block(WorkerId="AANN")
    mturk.market.accept(number, "AANN")


def test_what_nobody_submits_in_time_is_abandoned(mturk: MTurk, client: Any) -> None:
    number = notified(client)["HITId"]
    held = mturk.market.accept(number, "AANN").assignment_id
    mturk.market.pass_time(600)
    assert mturk.market.told()[-1] == ("AssignmentAbandoned", held)
    with pytest.raises(client.exceptions.RequestError):
        client.get_assignment(AssignmentId=held)


def test_letters_reach_those_whose_work_was_judged(mturk: MTurk, client: Any) -> None:
    client.approve_assignment(AssignmentId=worked(mturk, hit(client)["HITId"]))
    answer = client.notify_workers(Subject="Hello", MessageText="Come back.", WorkerIds=["AANN", "ABEN"])
    (failed,) = answer["NotifyWorkersFailureStatuses"]
    assert (failed["WorkerId"], failed["NotifyWorkersFailureCode"]) == ("ABEN", "HardFailure")
    assert mturk.market.letters == [{"Subject": "Hello", "MessageText": "Come back.", "WorkerIds": ["AANN"]}]


def test_a_person_may_play_the_worker(mturk: MTurk, client: Any) -> None:
    number = hit(client, url="http://127.0.0.1:1/x", Title="Read <digits>")["HITId"]
    with urlopen(f"{mturk.url}/") as page:
        assert "Read &lt;digits&gt;" in page.read().decode()
    with urlopen(f"{mturk.url}/accept?hitId={number}&workerId=AANN") as page:
        (held,) = mturk.market.assignments()
        assert f'src="http://127.0.0.1:1/x?assignmentId={held.id}&amp;hitId={number}' in page.read().decode()
    urlopen(f"{mturk.url}/return", f"assignmentId={held.id}".encode()).close()
    assert list(mturk.market.assignments()) == []


# Money


def test_approving_pays_the_reward_once(mturk: MTurk, client: Any) -> None:
    number = hit(client)["HITId"]
    held = mturk.market.accept(number, "AANN").assignment_id
    with pytest.raises(client.exceptions.RequestError, match="status of: Submitted") as raised:
        client.approve_assignment(AssignmentId=held)
    assert error(raised)[1] == "AWS.MechanicalTurk.InvalidAssignmentState"
    mturk.market.submit(held, {"done": "yes"})
    client.approve_assignment(AssignmentId=held, RequesterFeedback="Thanks.")
    with pytest.raises(client.exceptions.RequestError, match="state 'Approved'"):
        client.approve_assignment(AssignmentId=held)
    assert [(one.kind, one.worker, one.amount) for one in mturk.market.ledger] == [("reward", "AANN", Decimal("0.05"))]
    assert client.get_account_balance()["AvailableBalance"] == "9999.95"
    (one,) = client.list_assignments_for_hit(HITId=number, AssignmentStatuses=["Approved"])["Assignments"]
    assert one["RequesterFeedback"] == "Thanks."


def test_a_rejection_pays_nothing_until_it_is_overridden(mturk: MTurk, client: Any) -> None:
    number = hit(client)["HITId"]
    done = worked(mturk, number)
    client.reject_assignment(AssignmentId=done, RequesterFeedback="No.")
    assert client.list_assignments_for_hit(HITId=number, AssignmentStatuses=["Submitted"])["NumResults"] == 0
    assert client.list_assignments_for_hit(HITId=number, AssignmentStatuses=["Rejected"])["NumResults"] == 1
    with pytest.raises(client.exceptions.RequestError):
        client.approve_assignment(AssignmentId=done)
    assert mturk.market.ledger == []
    client.approve_assignment(AssignmentId=done, OverrideRejection=True)
    assert mturk.market.paid(worker="AANN") == Decimal("0.05")


def test_what_nobody_judges_is_approved_by_itself(mturk: MTurk, client: Any) -> None:
    done = worked(mturk, hit(client)["HITId"])
    mturk.market.pass_time(3599)
    assert mturk.market.paid() == 0
    mturk.market.pass_time(1)
    assert mturk.market.paid() == Decimal("0.05")
    assert client.get_assignment(AssignmentId=done)["Assignment"]["AssignmentStatus"] == "Approved"


def test_a_bonus_is_paid_once_for_a_token(mturk: MTurk, client: Any) -> None:
    made = hit(client, MaxAssignments=2)
    done = worked(mturk, made["HITId"])
    asked = {"WorkerId": "AANN", "AssignmentId": done, "BonusAmount": "1.2", "Reason": "Waiting."}
    client.send_bonus(**asked, UniqueRequestToken="b-1")
    with pytest.raises(client.exceptions.RequestError) as raised:
        client.send_bonus(**asked, UniqueRequestToken="b-1")
    assert error(raised) == ("RequestError", "")
    client.send_bonus(**asked | {"BonusAmount": "0.30"}, UniqueRequestToken="b-2")
    assert mturk.market.paid(kind="bonus") == Decimal("1.50")
    for about in ({"AssignmentId": done}, {"HITId": made["HITId"]}):
        listed = client.list_bonus_payments(**about)["BonusPayments"]
        assert [one["BonusAmount"] for one in listed] == ["1.20", "0.30"]
    assert client.list_bonus_payments(AssignmentId=worked(mturk, made["HITId"], "ABEN"))["BonusPayments"] == []


def test_a_bonus_goes_to_who_did_the_work_alone(mturk: MTurk, client: Any) -> None:
    held = mturk.market.accept(hit(client)["HITId"], "AANN").assignment_id
    asked = {"WorkerId": "AANN", "AssignmentId": held, "BonusAmount": "1", "Reason": "Waiting."}
    with pytest.raises(client.exceptions.RequestError) as raised:
        client.send_bonus(**asked)
    assert error(raised)[1] == "AWS.MechanicalTurk.AssignmentDoesNotExist"
    mturk.market.submit(held, {"done": "yes"})
    for wrong in ({"WorkerId": "ABEN"}, {"BonusAmount": "0.00"}):
        with pytest.raises(ClientError) as raised:
            client.send_bonus(**asked | wrong)
        assert error(raised)[0] == "ParameterValidationError"
    assert mturk.market.ledger == []


def test_nothing_is_paid_that_is_not_there(mturk: MTurk, client: Any) -> None:
    done = worked(mturk, hit(client)["HITId"])
    mturk.market.balance = Decimal("0.04")
    for ask in (
        lambda: client.approve_assignment(AssignmentId=done),
        lambda: client.send_bonus(WorkerId="AANN", AssignmentId=done, BonusAmount="1", Reason="Waiting."),
        lambda: hit(client),
    ):
        with pytest.raises(client.exceptions.RequestError) as raised:
            ask()
        assert error(raised)[1] == "AWS.MechanicalTurk.InsufficientFunds"
    assert mturk.market.ledger == []


# Faults of calls


def test_a_throttled_call_does_nothing(mturk: MTurk, client: Any) -> None:
    mturk.faults.throttle("CreateHIT", 2)
    client.get_account_balance()
    for _ in range(2):
        with pytest.raises(ClientError, match="Rate exceeded") as raised:
            hit(client)
        assert error(raised)[0] == "ThrottlingException"
    assert mturk.market.hits == {}
    hit(client)


def test_a_fault_of_the_service_does_nothing(mturk: MTurk, client: Any) -> None:
    mturk.faults.fail()
    with pytest.raises(client.exceptions.ServiceFault):
        hit(client)
    assert mturk.market.hits == {}


def test_a_dropped_call_is_done(mturk: MTurk, client: Any) -> None:
    mturk.faults.drop("CreateHIT")
    with pytest.raises(ConnectionClosedError):
        hit(client, UniqueRequestToken="t-1")
    (made,) = mturk.market.hits
    with pytest.raises(client.exceptions.RequestError, match=made):
        hit(client, UniqueRequestToken="t-1")


def test_boto3_by_itself_tries_a_dropped_call_again_and_meets_its_own_token(mturk: MTurk) -> None:
    client = mturk.client(retries={"mode": "legacy"})
    mturk.faults.drop("CreateHIT")
    with pytest.raises(client.exceptions.RequestError) as raised:
        hit(client, UniqueRequestToken="t-1")
    assert error(raised)[1] == "AWS.MechanicalTurk.HitAlreadyExists"
    assert len(mturk.calls) == 2


# Events


def test_events_are_told_as_mturk_tells_them(mturk: MTurk, client: Any) -> None:
    made = notified(client)
    held = mturk.market.accept(made["HITId"], "AANN").assignment_id
    said = mturk.market.post.sent[-1]
    assert said.keys() == {"Events", "EventDocId", "EventDocVersion", "CustomerId", "SourceAccount"}
    assert said["EventDocVersion"] == "2014-08-15"
    (one,) = said["Events"]
    assert datetime.fromisoformat(one.pop("EventTimestamp")).tzinfo == UTC
    assert one == {
        "EventType": "AssignmentAccepted",
        "HITTypeId": made["HITTypeId"],
        "HITId": made["HITId"],
        "AssignmentId": held,
    }


def test_a_hits_life_is_told_in_order(mturk: MTurk, client: Any) -> None:
    number = notified(client, MaxAssignments=2)["HITId"]
    first = mturk.market.accept(number, "AANN").assignment_id
    mturk.market.return_(first)
    mturk.market.accept(number, "ABEN")
    mturk.market.submit(first, {"done": "yes"})
    client.update_expiration_for_hit(HITId=number, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    client.approve_assignment(AssignmentId=first)
    client.delete_hit(HITId=number)
    assert mturk.market.told() == [
        ("HITCreated", ""),
        ("AssignmentAccepted", first),
        ("AssignmentReturned", first),
        ("AssignmentAccepted", first),
        ("AssignmentSubmitted", first),
        ("HITExpired", ""),
        ("HITReviewable", ""),
        ("AssignmentApproved", first),
        ("HITDisposed", ""),
    ]


def test_events_that_nobody_asked_for_are_not_told(mturk: MTurk, client: Any) -> None:
    made = notified(client)
    client.update_notification_settings(HITTypeId=made["HITTypeId"], Active=False)
    mturk.market.accept(made["HITId"], "AANN")
    assert mturk.market.told() == [("HITCreated", "")]


@pytest.mark.parametrize("wrong", [{"Destination": "q"}, {"Transport": "Email"}, {"Version": "2020-01-01"}])
def test_notifications_go_where_they_can_and_no_further(client: Any, wrong: Any) -> None:
    right = {"Destination": "https://sqs.example/q", "Transport": "SQS", "Version": "2014-08-15", "EventTypes": []}
    client.send_test_event_notification(Notification=right, TestEventType="Ping")
    with pytest.raises(ClientError):
        client.send_test_event_notification(Notification=right | wrong, TestEventType="Ping")


def test_events_come_twice_late_backwards_or_never(mturk: MTurk, client: Any) -> None:
    post, number = mturk.market.post, notified(client, MaxAssignments=9)["HITId"]
    post.sent.clear()
    post.double()
    doubled = mturk.market.accept(number, "AANN").assignment_id
    assert mturk.market.told() == [("AssignmentAccepted", doubled)] * 2
    assert post.sent[0]["EventDocId"] == post.sent[1]["EventDocId"]
    post.sent.clear()
    post.lose()
    mturk.market.return_(doubled)
    post.hold()
    held = mturk.market.accept(number, "ABEN").assignment_id
    mturk.market.submit(held, {"done": "yes"})
    assert post.sent == []
    post.release(backwards=True)
    assert mturk.market.told() == [("AssignmentSubmitted", held), ("AssignmentAccepted", held)]


def test_who_hears_of_an_event_may_ask_at_once() -> None:
    heard = []

    def deliver(notification: Any, said: Any) -> None:
        number = said["Events"][0]["HITId"]
        heard.append((notification["Destination"], client.get_hit(HITId=number)["HIT"]["HITStatus"]))

    with serving(deliver) as mturk:
        client = mturk.client()
        notified(client)
    assert heard == [("https://sqs.example/q", "Assignable")]
