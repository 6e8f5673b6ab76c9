"""Pages that say what will happen, ask what is needed for it, and then call one writer."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from queues.exceptions import CrowdError, InvalidInput


class NothingForm(forms.Form):
    """There is nothing to say but yes."""


def ask(
    model_admin: Any,
    request: HttpRequest,
    row: Any,
    *,
    title: Any,
    verb: Any,
    sentences: Iterable[Any],
    act: Callable[..., Any],
    then: str,
    form: Callable[..., forms.BaseForm] = NothingForm,
    back: str = "",
    danger: bool = True,
) -> HttpResponse:
    """The page; or, once it is confirmed, `then`, the address to go to.

    `act(**data)` carries it out and says what was done, in the message that is shown there, or answers with a response
    of its own. What it refuses stands at the field that it is about, or above the form.
    """
    bound = form(request.POST) if request.method == "POST" else form()
    if bound.is_bound and bound.is_valid():
        try:
            said = act(**bound.cleaned_data)
        except InvalidInput as invalid:
            for error in invalid.errors:
                name = error["pointer"].strip("/")
                bound.add_error(name if name in bound.fields else None, error["detail"])
        except CrowdError as refused:
            bound.add_error(None, refused.detail)
        else:
            if isinstance(said, HttpResponse):
                return said
            model_admin.message_user(request, said, messages.SUCCESS)
            return HttpResponseRedirect(then)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "original": row,
        "title": title,
        "verb": verb,
        "consequences": list(sentences),
        "form": bound,
        "back": back or then,
        "danger": danger,
    }
    return TemplateResponse(request, "admin/crowd_queues/ask.html", context)


def do(model_admin: Any, request: HttpRequest, act: Callable[[], Any], *, then: str) -> HttpResponse:
    """Carry out what needs no confirmation; `act` says what was done. What it refuses is said at `then`."""
    try:
        said = act()
    except CrowdError as refused:
        model_admin.message_user(request, refused.detail, messages.ERROR)
    else:
        model_admin.message_user(request, said, messages.SUCCESS)
    return HttpResponseRedirect(then)
