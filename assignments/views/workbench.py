"""The workbench: one task at a time, from the grab to the answer."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render, resolve_url
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from assignments.views import sockets
from assignments.views.sentences import WORKBENCH
from assignments.views.vendor import library
from queues import markdown
from queues.models import Membership, Queue


@never_cache
@login_required
@require_safe
def workbench(request: HttpRequest, queue_name: str) -> HttpResponse:
    """The page that speaks the API for a reviewer of this queue; 403 with a page for those who see it otherwise."""
    queue = get_object_or_404(Queue.objects.visible_to(request.user), name=queue_name)
    if not Membership.objects.reviewers().filter(queue=queue, user=request.user.pk).exists():
        return render(request, "assignments/workbench_forbidden.html", {"queue": queue}, status=403)
    context = {
        "queue": queue,
        "instructions": markdown.render(queue.instructions),
        "data": _data(request, queue),
        "texts": WORKBENCH,
        "sign_in": f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': reverse('crowd-desk')})}",
    }
    return render(request, "assignments/workbench.html", context)


def _data(request: HttpRequest, queue: Queue) -> dict[str, object]:
    """What the scripts need. In an address with a 0 in it, that stands for the assignment's id."""
    of_assignment = {name: reverse(f"crowd-assignment-{name}", args=[0]) for name in ("finalize", "skip", "extend")}
    return {
        "queue": queue.name,
        "title": str(queue),
        "inputSchema": queue.input_schema,
        "outputSchema": queue.output_schema,
        "longestLease": queue.max_lease_seconds,
        "addresses": {
            **of_assignment,
            "assignment": reverse("crowd-assignment-detail", args=[0]),
            "grab": reverse("crowd-queue-grab", args=[queue.name]),
            "formLibrary": library("jedison.js"),
            "socket": sockets.of_queue(request, queue),
        },
    }
