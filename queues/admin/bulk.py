"""Actions over many rows of a list: ask what it needs, say how many it is about, plan a batch, show its progress."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queues import batches
from queues.admin.fields import PriorityField, TargetField
from queues.bulk import ITEMS_MAX
from queues.people import ANYONE, email_of

CONFIRMED = "confirmed"

CHUNK = 2000


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Kept in the history, and shown to reviewers who hold one of them."),
    )

    def parameters(self) -> dict[str, Any]:
        return {"reason": self.cleaned_data["reason"]}


class ReleaseForm(ReasonForm):
    """A release without a reason would leave its reviewer in the dark."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = True
        self.fields["reason"].help_text = _("Shown to the reviewers it is taken from.")


class PriorityForm(forms.Form):
    change = PriorityField(label=gettext_lazy("Priority"))

    def parameters(self) -> dict[str, Any]:
        return {"change": self.data["change"].strip()}


class RetargetForm(forms.Form):
    target_reviewer = TargetField(
        label=gettext_lazy("Target"), help_text=gettext_lazy("A reviewer’s e-mail or id, or ~ANYONE.")
    )

    def clean_target_reviewer(self) -> str:
        user = self.cleaned_data["target_reviewer"]
        if user is not None and not email_of(user):
            raise forms.ValidationError(_("This user has no e-mail to be named by."))
        return ANYONE if user is None else email_of(user)

    def parameters(self) -> dict[str, Any]:
        return {"target_reviewer": self.cleaned_data["target_reviewer"]}


def ask_and_plan(
    model_admin: Any,
    request: HttpRequest,
    queryset: Any,
    *,
    kind: str,
    action: str,
    form: Callable[..., Any],
    title: Any,
    warning: Any,
) -> HttpResponse | None:
    """The confirmation page, or the way to the batch's page once it is confirmed.

    A second POST of the same action carries the parameter, so the list's filters and the selection come along.
    """
    count = queryset.order_by()[: ITEMS_MAX + 1].count()
    if count > ITEMS_MAX:
        sentence = _("More than %(max)s are selected. Choose a queue, a state or fewer of them, and do it in steps.")
        model_admin.message_user(request, sentence % {"max": f"{ITEMS_MAX:,}"}, messages.ERROR)
        return None
    bound = form(request.POST) if CONFIRMED in request.POST else form()
    if bound.is_bound and bound.is_valid():
        ids = queryset.order_by("id").values_list("id", flat=True).iterator(chunk_size=CHUNK)
        batch = batches.plan(kind=kind, items=ids, actor=request.user, parameters=bound.parameters())
        url = reverse("admin:crowd_queues_batch_change", args=[batch.pk], current_app=model_admin.admin_site.name)
        return HttpResponseRedirect(url)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "count": count,
        "warning": warning,
        "form": bound,
        "action": action,
        "selected": [] if request.POST.get("select_across") == "1" else request.POST.getlist(ACTION_CHECKBOX_NAME),
        "checkbox": ACTION_CHECKBOX_NAME,
        "first": request.POST.getlist(ACTION_CHECKBOX_NAME)[:1],
        "select_across": request.POST.get("select_across", "0"),
        "list_url": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/crowd_queues/bulk.html", context)
