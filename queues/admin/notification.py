"""Notifications: the settings that say who is told of which events, of everything, of a queue or of a task."""

from collections import defaultdict
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_protect

from queues import events, history, notifications
from queues.admin.endpoint import secret_page, state
from queues.admin.fields import NamedField, QueueField
from queues.admin.levels import of_task
from queues.admin.lists import BigChangeList, CappedPaginator, as_id
from queues.admin.member import raw_id
from queues.admin.writing import WriterForm, WrittenAdmin
from queues.exceptions import CrowdError, InvalidInput
from queues.models import Delivery, Notification, Task
from queues.models.notification import URL_LENGTH
from queues.notifications import NotificationDraft, headers_of
from queues.people import shown
from queues.states import Level, Merging

SUBJECTS = {"QUEUE": _("Queues"), "TASK": _("Tasks"), "ASSIGNMENT": _("Assignments"), "SESSION": _("Sessions")}


CHOICES = "admin/crowd_queues/choices.html"
"""How choices are drawn, with their groups told to screen readers too."""


class Checks(forms.CheckboxSelectMultiple):
    template_name = CHOICES


class Radios(forms.RadioSelect):
    template_name = CHOICES


class TaskField(NamedField):
    """A task by its id."""

    def named(self, text: str) -> Task:
        pk = as_id(text)
        task = None if pk is None else Task.objects.filter(pk=pk).first()
        if task is None:
            raise ValidationError(_("There is no task %(id)s. Give its id."), params={"id": text})
        return task


class HeadersField(forms.CharField):
    """Headers, one a line: `Name: value`."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField crowd-code", "spellcheck": "false"})
        super().__init__(required=False, widget=widget, **kwargs)

    def clean(self, value: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in super().clean(value).splitlines():
            if not line.strip():
                continue
            name, colon, text = line.partition(":")
            name = name.strip()
            if not colon or not name:
                raise ValidationError(_("A line is like “Authorization: Bearer abc”: a name, a colon, a value."))
            if name.lower() in {known.lower() for known in found}:
                raise ValidationError(_("%(name)s stands here twice."), params={"name": name})
            found[name] = text.strip()
        return found


def type_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """The event types by what they are about."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for type_ in events.registered():
        subject, _underscore, rest = type_.partition("_")
        said = str(history.SENTENCES.get(type_, ""))
        plain = not said or said.lower() == rest.lower()
        groups[subject].append((type_, type_ if plain else f"{type_} ({said})"))
    order = [*SUBJECTS, *sorted(groups.keys() - SUBJECTS.keys())]
    return [(str(SUBJECTS.get(key, key.capitalize())), groups[key]) for key in order if key in groups]


class HeadersForm(WriterForm):
    """A form with `new_headers`: what the writers have to say of headers is said there."""

    def _refuse(self, pointer: str, detail: str) -> None:
        super()._refuse(f"/new_{pointer[1:]}" if pointer.startswith("/headers") else pointer, detail)


class NotificationForm(HeadersForm):
    """What may change of a setting. Values of headers are kept encrypted, and never shown again."""

    events_to_notify = forms.MultipleChoiceField(
        label=_("Events"), widget=Checks(attrs={"label": _("Events"), "role": "group"}), choices=type_choices
    )
    strategy = forms.ChoiceField(
        label=_("Strategy"),
        initial=Merging.UNION,
        widget=Radios(attrs={"label": _("Strategy"), "role": "radiogroup"}),
        choices=[
            (Merging.UNION, _("UNION: this endpoint, and besides it whoever the levels above tell")),
            (Merging.ONLY, _("ONLY: the levels above are silent here, whatever events they ask for")),
        ],
        help_text=_(
            "Above a task is its queue, above a queue the site. One setting that says ONLY is enough to silence what "
            "is above its level, for all events, even while its endpoint is switched off."
        ),
    )
    new_headers = HeadersField(
        label=_("New headers"),
        help_text=_(
            "One a line, such as “Authorization: Bearer abc”, in place of those that are set. Empty: those stay."
        ),
    )
    without_headers = forms.BooleanField(label=_("Send no headers any more"), required=False)

    class Meta:
        model = Notification
        fields = ["strategy"]

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("new_headers") and self.cleaned_data.get("without_headers"):
            self.add_error("without_headers", _("Give new headers, or send none: not both."))

    def write(self) -> Notification:
        changes = self.changes("events_to_notify", "strategy")
        if self.cleaned_data.get("new_headers") or self.cleaned_data.get("without_headers"):
            changes["headers"] = self.cleaned_data["new_headers"]
        if not changes:
            return self.instance
        try:
            return notifications.change(notification_id=self.instance.pk, changes=changes)
        except Notification.DoesNotExist:
            raise InvalidInput.at("", _now("This notification was removed meanwhile.")) from None


class NewNotificationForm(HeadersForm):
    """A new setting of one's own. After `write()` the secret of a new endpoint is in the row's `secret`."""

    level = forms.ChoiceField(
        label=_("Level"),
        initial=Level.QUEUE,
        widget=Radios(attrs={"label": _("Level"), "role": "radiogroup"}),
        choices=[
            (Level.SITE, _("The site: every queue and every task")),
            (Level.QUEUE, _("A queue: it, its tasks and their assignments")),
            (Level.TASK, _("A task: it and its assignments")),
        ],
    )
    queue = QueueField(label=_("Queue"), required=False, help_text=_("At the level of a queue: its name or its id."))
    task = TaskField(label=_("Task"), required=False, help_text=_("At the level of a task: its id."))
    endpoint = forms.CharField(
        label=_("Endpoint"),
        max_length=URL_LENGTH,
        widget=forms.TextInput(attrs={"class": "vURLField", "inputmode": "url", "spellcheck": "false"}),
        help_text=_("The address that events are posted to: https, and reachable from the internet."),
    )
    events_to_notify = NotificationForm.base_fields["events_to_notify"]
    strategy = NotificationForm.base_fields["strategy"]
    new_headers = HeadersField(
        label=_("Headers"),
        help_text=_("Sent along, one a line, such as “Authorization: Bearer abc”. The values are never shown again."),
    )

    class Meta:
        model = Notification
        fields = ["level"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & {"queue", "task"}:
            self.fields[name].widget = raw_id(Notification, name)

    def clean(self) -> None:
        super().clean()
        level = self.cleaned_data.get("level")
        for name, missing, surplus in (
            ("queue", _("Which queue?"), _("At this level there is no queue to name.")),
            ("task", _("Which task?"), _("At this level there is no task to name.")),
        ):
            if name in self.errors or level is None:
                continue
            if level == name and not self.cleaned_data.get(name):
                self.add_error(name, missing)
            elif level != name and self.cleaned_data.get(name):
                self.add_error(name, surplus)

    def write(self) -> Notification:
        data = self.cleaned_data
        draft = NotificationDraft(
            endpoint=data["endpoint"],
            events_to_notify=tuple(data["events_to_notify"]),
            headers=data["new_headers"],
            strategy=data["strategy"],
        )
        made = notifications.create(
            level=Level(data["level"]), draft=draft, owner=self.actor, queue=data["queue"], task=data["task"]
        )
        made.notification.secret = made.secret  # type: ignore[attr-defined]
        return made.notification


class LevelFilter(admin.SimpleListFilter):
    """Settings of one level."""

    title = _("level")
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Level.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() in {Level.SITE, Level.QUEUE}:
            # Said twice, for there is an index that has no tasks.
            return queryset.filter(level=self.value(), task__isnull=True)
        return queryset.filter(task__isnull=False) if self.value() == Level.TASK else queryset


@admin.register(Notification)
class NotificationAdmin(WrittenAdmin):
    """Settings; there may be one for each of many tasks, so they are not counted through."""

    list_display = ["id", "about", "where", "state", "types", "strategy", "updated_at"]
    list_display_links = ["id", "about"]
    list_filter = [LevelFilter]
    list_select_related = ["endpoint", "queue", "task__queue"]
    list_defer = ("headers", "endpoint__secret", "endpoint__old_secret", "task__input_data", "task__output_data")
    paginator = CappedPaginator
    sortable_by = ()
    change_form_template = "admin/crowd_queues/notification/change_form.html"
    remove_verb = _("Remove the notification")

    @admin.display(description=_("about"))
    def about(self, row: Notification) -> str:
        return about(row)

    @admin.display(description=_("endpoint"))
    def where(self, row: Notification) -> str:
        return row.endpoint.url

    @admin.display(description=_("its state"))
    def state(self, row: Notification) -> str:
        return state(row.endpoint)

    @admin.display(description=_("events"))
    def types(self, row: Notification) -> str:
        return ", ".join(row.events_to_notify)

    @admin.display(description=_("endpoint"))
    def endpoint_link(self, row: Notification) -> str:
        url = reverse("admin:crowd_queues_endpoint_change", args=[row.endpoint_id], current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a> {}', url, row.endpoint.url, state(row.endpoint))

    @admin.display(description=_("headers"))
    def headers_shown(self, row: Notification) -> str:
        names = ", ".join(headers_of(row.headers))
        return _now("%(names)s (the values are not shown)") % {"names": names} if names else "–"

    @admin.display(description=_("owner"))
    def owner(self, row: Notification) -> str:
        return shown(row.endpoint.owner)

    @method_decorator(csrf_protect)
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        # Without the admin's transaction around it: a new endpoint is looked up, and the writers have their own.
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return BigChangeList

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = NotificationForm if change else NewNotificationForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": list(NewNotificationForm.base_fields)})]
        fixed = ["about", "endpoint_link", "owner"]
        headers = ["headers_shown", "new_headers", "without_headers"]
        if not self.has_change_permission(request, obj):
            headers = headers[:1]
        return [
            (None, {"fields": [*fixed, "events_to_notify", "strategy"]}),
            (_("Headers"), {"fields": headers}),
            (_("Times"), {"fields": ["created_at", "updated_at"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["about", "endpoint_link", "owner", "headers_shown", "created_at", "updated_at"] if obj else []

    def get_urls(self) -> list[Any]:
        test = path("<int:pk>/test/", self.admin_site.admin_view(self.test_view), name="crowd_queues_notification_test")
        told = path(
            "of-task/<int:task_id>/",
            self.admin_site.admin_view(partial(of_task, self)),
            name="crowd_queues_notification_of_task",
        )
        return [test, told, *super().get_urls()]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in {LevelFilter.parameter_name, "endpoint__id__exact"}

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> Any:  # type: ignore[override]
        setting = kwargs.get("obj")
        if setting is not None:
            context |= {
                "title": _now("Notification %(id)s") % {"id": setting.pk},
                "subtitle": None,
                "disabled": setting.endpoint.disabled_at is not None,
                "may_test": self.has_change_permission(request, setting),
            }
        return super().render_change_form(request, context, **kwargs)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        address = reverse("admin:crowd_queues_notification_change", args=[obj.pk], current_app=self.admin_site.name)
        if obj.secret is not None:
            return secret_page(self, request, obj.endpoint, obj.secret, back=address)
        done = _("It is set. You use this endpoint already, so it keeps its secret.")
        self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(address)

    def consequences(self, obj: Notification) -> list[Any]:
        sentences = [
            _("%(url)s is told no more of these events.") % {"url": obj.endpoint.url},
            _("What is written down to be sent already is sent."),
            _("The endpoint and its secret stay, for other notifications of its owner."),
        ]
        if obj.strategy == Merging.ONLY and obj.level != Level.SITE:
            sentences.append(_("The levels above are heard again, unless another setting here says ONLY."))
        return sentences

    def remove(self, request: HttpRequest, obj: Notification) -> None:
        notifications.remove(notification_id=obj.pk)

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send a test event, and lead to where one sees what becomes of it."""
        setting = get_object_or_404(Notification.objects.select_related("endpoint"), pk=pk)
        if not self.has_change_permission(request, setting):
            raise PermissionDenied
        if request.method == "POST":
            try:
                delivery = notifications.send_test(notification_id=pk)
            except CrowdError as refused:
                self.message_user(request, refused.detail, messages.ERROR)
            except Notification.DoesNotExist:
                self.message_user(request, _now("This notification was removed meanwhile."), messages.ERROR)
                return HttpResponseRedirect(self.list_url())
            else:
                return self._sent(request, delivery)
        return self.back(setting)

    def _sent(self, request: HttpRequest, delivery: Delivery) -> HttpResponse:
        name = "admin:crowd_queues_delivery_change"
        if self.admin_site.get_model_admin(Delivery).has_view_permission(request):
            return HttpResponseRedirect(reverse(name, args=[delivery.pk], current_app=self.admin_site.name))
        self.message_user(request, _("The test is on its way."), messages.SUCCESS)
        return self.back(Notification(pk=delivery.notification_id))


def about(row: Notification) -> str:
    """What a setting is for, in words."""
    if row.level == Level.QUEUE:
        return _now("queue %(name)s") % {"name": row.queue}
    if row.level == Level.TASK:
        return _now("task %(id)s of %(queue)s") % {"id": row.task_id, "queue": row.task.queue if row.task else ""}
    return _now("the site")
