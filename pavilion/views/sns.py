"""Where Amazon SNS sends what Mechanical Turk tells."""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from pavilion.marketplaces import Later
from pavilion.marketplaces.mturk import events
from pavilion.marketplaces.mturk.signing import BadSignature

logger = logging.getLogger(__name__)


# The signature says whose a message is; a browser brings nothing along that another site could misuse.
@csrf_exempt
@require_POST
def sns(request: HttpRequest) -> HttpResponse:
    """204: taken; 403: not our topic's, and nothing was done; 503: not now, send it again."""
    try:
        events.pushed(request.body)
    except BadSignature as bad:
        logger.warning("A message was refused: %s", bad)
        return HttpResponse("The message is not one of this site's topic.\n", status=403, content_type="text/plain")
    except Later as not_now:
        logger.warning("A message was not taken: %s", not_now)
        return HttpResponse("Not now.\n", status=503, content_type="text/plain")
    return HttpResponse(status=204)
