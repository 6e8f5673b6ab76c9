"""API tokens: issuing and revoking them. The digest is never shown, the text once."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _

from queues import tokens
from queues.admin.fields import MomentField, PersonField
from queues.admin.member import raw_id
from queues.admin.people import OfPersonAdmin
from queues.admin.writing import WriterForm
from queues.models import Token
from queues.querysets import is_operator


class TokenForm(WriterForm):
    """A new token. After `write()` its text is in `secret`, and nowhere else."""

    secret = ""
    user = PersonField(label=_("User"), help_text=_("An e-mail or an id. Whoever has the token acts as this user."))
    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("What it is for."))
    expires_at = MomentField(label=_("Expires"))

    class Meta:
        model = Token
        fields = ["user", "name", "expires_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            self.fields["user"].widget = raw_id(Token, "user")

    def clean_user(self) -> Any:
        user = self.cleaned_data["user"]
        if is_operator(user) and not self.operates:
            raise ValidationError(_("Only an operator may issue a token for an operator."))
        return user

    def write(self) -> Token:
        token, secret = tokens.issue(**self.cleaned_data)
        token.secret = secret  # type: ignore[attr-defined]
        return token


@admin.register(Token)
class TokenAdmin(OfPersonAdmin):
    """A token never changes; deleting one revokes it."""

    form = TokenForm
    list_display = ["name", "prefix", "person", "created_at", "expires_at", "last_used_at", "revoked_at"]
    search_further = ("prefix__startswith",)
    remove_verb = _("Revoke")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["user", "name", "expires_at"]
        return ["person", "name", "prefix", "created_at", "expires_at", "last_used_at", "revoked_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or obj.revoked_at is None) and super().has_delete_permission(request, obj)

    def consequences(self, obj: Token) -> list[Any]:
        return [
            _("Requests that carry it are refused from now on."),
            _("It stays in the list as revoked, and cannot be brought back."),
        ]

    def remove(self, request: HttpRequest, obj: Token) -> None:
        tokens.revoke(token=obj)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """The page that shows the text, this once: neither a message nor the session ever holds it."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": obj,
            "title": _("The new token"),
            "secret": obj.secret,
            "person": self.person(obj),
        }
        response = TemplateResponse(request, "admin/crowd_queues/token/issued.html", context)
        add_never_cache_headers(response)
        return response
