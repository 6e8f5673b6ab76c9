"""How the admin writes: through the writers, never by `save()` or `delete()`.

A form writes in the last step of its validation, once nothing else is wrong with it. So a writer's refusal, whatever
raced with the form, is an error at its field like any other, and what was typed stays.
"""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from queues.admin.access import OperatedAdmin, operates
from queues.exceptions import CrowdError, InvalidInput


class WriterForm(forms.ModelForm):
    """A form whose validation ends with `write()`. The admin sets `actor`, `operates` and `offered`."""

    actor: Any = None
    operates = False
    offered: frozenset[str] | None = None
    """The fields that may be filled in; None is all. A declared field would stay although it is shown as read only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.offered is not None:
            self.fields = {name: field for name, field in self.fields.items() if name in self.offered}
        for field in self.fields.values():
            # What was there when the page was made comes back with it, so what others change meanwhile stays theirs.
            field.show_hidden_initial = self.instance.pk is not None

    def write(self) -> Any:
        """Call the writer with the cleaned data; the answer is the row. May raise CrowdError."""
        raise NotImplementedError

    def full_clean(self) -> None:
        super().full_clean()
        if not self.is_bound or self.errors:
            return
        try:
            self.instance = self.write()
        except InvalidInput as invalid:
            for error in invalid.errors:
                self._refuse(error["pointer"], error["detail"])
        except CrowdError as refused:
            self.add_error(None, refused.detail)

    def _post_clean(self) -> None:
        """Leave the instance be: the writers check, and they read the row anew."""

    def _refuse(self, pointer: str, detail: str) -> None:
        """An error of a writer, at the field that its JSON pointer begins with; the rest of it says where inside."""
        field, slash, inside = pointer.removeprefix("/").partition("/")
        if field in self.fields:
            self.add_error(field, f"/{inside}: {detail}" if slash else detail)
        else:
            self.add_error(None, f"{pointer}: {detail}" if pointer else detail)

    def changes(self, *names: str) -> dict[str, Any]:
        """Those of the named fields that were changed here."""
        return {name: self.cleaned_data[name] for name in names if name in self.changed_data}


class WrittenAdmin(OperatedAdmin):
    """A ModelAdmin over a WriterForm, whose deletion is `remove()`."""

    list_per_page = 50
    ordering = ["-id"]
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    save_as = False
    remove_verb: Any = None
    """What the button of the confirmation page says."""

    class Media:
        css = {"all": ["queues/admin.css"]}

    def consequences(self, obj: Any) -> Iterable[Any]:
        """What happens when the object is removed, in sentences."""
        return ()

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Call the writer that ends the object. May raise CrowdError."""
        raise NotImplementedError

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.actor, form.operates = request.user, operates(request)
        shown = flatten_fieldsets(self.get_fieldsets(request, obj))
        changeable = not change or self.has_change_permission(request, obj)
        form.offered = frozenset(shown) - set(self.get_readonly_fields(request, obj)) if changeable else frozenset()
        return form

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        # Django says where the actions are to stand from 6.1 on.
        actions = super().get_actions(request, *(() if action_location is None else (action_location,)))
        # Its own deletion of many would show, and then delete, whole cascades.
        return {name: action for name, action in actions.items() if name != "delete_selected"}

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        # Without the transaction that Django puts around it: a writer has its own, and repeats it after a deadlock.
        given = dict(zip(("object_id", "form_url", "extra_context"), args, strict=False)) | kwargs
        return self._changeform_view(  # type: ignore[attr-defined]
            request, given.get("object_id"), given.get("form_url", ""), given.get("extra_context")
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing: the form has written."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.remove(request, obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Ask, saying what will happen; then remove. No cascade is looked up, for none is deleted."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if not self.has_delete_permission(request, obj):
            raise PermissionDenied
        if request.method == "POST":
            return self._removed(request, obj)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": obj,
            "title": _("%(verb)s “%(object)s”?") % {"verb": self.remove_verb, "object": obj},
            "consequences": list(self.consequences(obj)),
            "verb": self.remove_verb,
            "preserved_filters": self.get_preserved_filters(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/crowd_queues/remove.html", context)

    def _removed(self, request: HttpRequest, obj: Any) -> HttpResponse:
        shown, pk = str(obj), obj.pk
        try:
            self.delete_model(request, obj)
        except CrowdError as refused:
            self.message_user(request, refused.detail, messages.ERROR)
            return self.back(obj)
        except self.model.DoesNotExist:
            self.message_user(request, _("“%(object)s” was gone already.") % {"object": shown}, messages.WARNING)
            return HttpResponseRedirect(self.list_url())
        obj.pk = pk
        self.log_deletions(request, [obj])  # type: ignore[arg-type]
        return self.response_delete(request, shown, pk)

    def back(self, obj: Any) -> HttpResponse:
        """To the object's page."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[obj.pk], current_app=self.admin_site.name))

    def list_url(self) -> str:
        """The address of the list."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return reverse(name, current_app=self.admin_site.name)
