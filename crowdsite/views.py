"""The pages of the site itself; the apps have their own."""

from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What Crowdsite is, and where to go from here."""
    return render(request, "home.html")


class SignIn(LoginView):
    """Signing in, and back to where one was; it says where the demo's passwords are."""

    template_name = "login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        """The page's context, with `has_demo`."""
        return super().get_context_data(**context, has_demo=(settings.DATA_DIR / "demo.json").exists())
