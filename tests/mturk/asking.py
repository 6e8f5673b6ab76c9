"""What tests of the marketplace ask of it again and again."""

from typing import Any

FIELDS: dict[str, Any] = {
    "Title": "Read digits",
    "Description": "Read handwritten digits, and wait for more.",
    "Keywords": "digits, reading",
    "Reward": "0.05",
    "AssignmentDurationInSeconds": 600,
    "AutoApprovalDelayInSeconds": 3600,
}
QUESTION = """<ExternalQuestion
 xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd">
<ExternalURL>{url}</ExternalURL><FrameHeight>0</FrameHeight></ExternalQuestion>"""
EVENTS = [
    "AssignmentAccepted",
    "AssignmentAbandoned",
    "AssignmentReturned",
    "AssignmentSubmitted",
    "AssignmentRejected",
    "AssignmentApproved",
    "HITCreated",
    "HITExpired",
    "HITReviewable",
    "HITExtended",
    "HITDisposed",
]


def hit(client: Any, *, url: str = "https://crowd.example/offer/?a=1", **given: Any) -> dict[str, Any]:
    """The HIT that CreateHIT answers with."""
    asked = {**FIELDS, "LifetimeInSeconds": 3600, "Question": QUESTION.format(url=url), **given}
    return client.create_hit(**asked)["HIT"]


def notified(client: Any, destination: str = "https://sqs.example/q", transport: str = "SQS", **given: Any) -> Any:
    """A HIT type whose every event is told of, and a HIT of it."""
    number = client.create_hit_type(**FIELDS)["HITTypeId"]
    specification = {
        "Destination": destination,
        "Transport": transport,
        "Version": "2014-08-15",
        "EventTypes": EVENTS,
    }
    client.update_notification_settings(HITTypeId=number, Notification=specification, Active=True)
    return hit(client, **given)
