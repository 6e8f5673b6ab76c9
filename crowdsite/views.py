"""The pages of the site itself; the apps have their own."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What Crowdsite is, and where to go from here."""
    return render(request, "home.html")
