"""What a HIT is made of.

The names and limits are those of the API reference, 2017-01-17: operations CreateHITType and CreateHITWithHITType, data
structures ExternalQuestion, QualificationRequirement.
"""

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from pavilion.marketplaces.base import cents

if TYPE_CHECKING:
    from pavilion.models import Pool, Session

LOCALE, APPROVAL_RATE, APPROVED = "00000000000000000071", "000000000000000000L0", "00000000000000000040"

NAMESPACE = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd"

LIFETIME_MIN = 30
"""Seconds that a HIT is offered at the least."""

EVENTS_VERSION = "2014-08-15"

RETURNED, ABANDONED = "AssignmentReturned", "AssignmentAbandoned"
EVENTS = (RETURNED, ABANDONED, "AssignmentSubmitted", "HITExpired", "HITReviewable", "HITDisposed")
"""What we want to be told of: whatever may make our rows differ."""


def type_fields(session: "Session") -> dict[str, Any]:
    """What CreateHITType is asked for."""
    pool = session.pool
    return {
        "Title": pool.title,
        "Description": pool.description or pool.title,
        "Keywords": pool.keywords,
        "Reward": cents(session.base_reward),
        "AssignmentDurationInSeconds": session.time_limit,
        "AutoApprovalDelayInSeconds": session.approval_delay,
        "QualificationRequirements": list(_qualifications(pool)),
    }


def _qualifications(pool: "Pool") -> Any:
    # Who may not accept it does not see it either.
    guarded = {"ActionsGuarded": "DiscoverPreviewAndAccept"}
    if pool.countries:
        countries = [{"Country": code} for code in pool.countries]
        yield {"QualificationTypeId": LOCALE, "Comparator": "In", "LocaleValues": countries, **guarded}
    for number, least in ((APPROVAL_RATE, pool.approval_rate), (APPROVED, pool.approved_hits)):
        if least:
            how = {"Comparator": "GreaterThanOrEqualTo", "IntegerValues": [least]}
            yield {"QualificationTypeId": number, **how, **guarded}


def question(url: str) -> str:
    """The page at this address, in a frame as high as there is room."""
    return (
        f'<ExternalQuestion xmlns="{NAMESPACE}"><ExternalURL>{escape(url)}</ExternalURL>'
        "<FrameHeight>0</FrameHeight></ExternalQuestion>"
    )
