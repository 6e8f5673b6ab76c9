"""Telling the owner of an endpoint that was switched off because it is gone or failed for days, by e-mail."""

import logging
from datetime import datetime

from django.core.mail import send_mail
from django.utils.translation import gettext as _

from queues.models import Endpoint
from queues.people import email_of
from queues.transactions import database_now

logger = logging.getLogger(__name__)

BATCH = 50


def tell(*, limit: int = BATCH, now: datetime | None = None) -> int:
    """Write to the owners of up to `limit` disabled endpoints who were not told yet; how many were.

    The row is marked before the letter goes out, so that a mail server that hangs or refuses is not asked for ever:
    a letter that fails is logged, and the admin shows the endpoint as disabled either way.
    """
    untold = Endpoint.objects.filter(disabled_at__isnull=False, told_at__isnull=True).select_related("owner")
    told = 0
    for endpoint in untold.order_by("pk")[:limit]:
        mine = Endpoint.objects.filter(pk=endpoint.pk, disabled_at=endpoint.disabled_at, told_at__isnull=True)
        if mine.update(told_at=database_now(now)):
            told += 1
            _write(endpoint)
    return told


def _write(endpoint: Endpoint) -> None:
    if not (address := email_of(endpoint.owner)):
        return
    try:
        send_mail(_("Your webhook endpoint was switched off"), _letter(endpoint), None, [address])
    except OSError:
        logger.exception("The owner of endpoint %s could not be told that it was switched off.", endpoint.pk)


def _letter(endpoint: Endpoint) -> str:
    return _(
        "Nothing is sent to %(url)s any more: %(reason)s.\n\n"
        "What was not delivered is kept and can be replayed once the endpoint is switched on again, in the admin or by "
        "the API (POST /api/v1/notifications/<id>/enable/). Events since then are in the feed (/api/v1/events/).\n"
    ) % {"url": endpoint.url, "reason": endpoint.get_disabled_reason_display()}
