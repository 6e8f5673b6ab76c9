"""Members of queues: granting, changing and revoking a role."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from queues import members
from queues.admin.fields import JSONText, PersonField, QueueField
from queues.admin.lists import ByQueue
from queues.admin.people import OfPersonAdmin
from queues.admin.writing import WriterForm
from queues.models import Membership
from queues.states import LIVE_MAX, Role


def raw_id(model: Any, name: str) -> ForeignKeyRawIdWidget:
    """The widget of a raw id, with the window to look it up where the other model is in this admin."""
    return ForeignKeyRawIdWidget(model._meta.get_field(name).remote_field, admin.site)


class MembershipForm(WriterForm):
    """A role. A person has one of each at most; who and what it is cannot be changed, only revoked."""

    queue = QueueField(label=_("Queue"), help_text=_("Its name or its id."))
    user = PersonField(label=_("User"), help_text=_("An e-mail or an id."))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    strategy = JSONText(
        label=_("Strategy"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField crowd-code"}),
        help_text=_('For reviewers: fields that beat what the reviewer asks for, such as {"topic": "cats"}.'),
    )
    max_live = forms.IntegerField(
        label=_("Most at once"),
        required=False,
        min_value=1,
        max_value=LIVE_MAX,
        help_text=_("For reviewers: how many tasks of this queue they may hold."),
    )

    class Meta:
        model = Membership
        fields = ["queue", "user", "role", "strategy", "max_live"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & {"queue", "user"}:
            self.fields[name].widget = raw_id(Membership, name)

    def write(self) -> Membership:
        if self.instance.pk is None:
            return members.grant(**self.cleaned_data, actor=self.actor)
        changes = self.changes("strategy", "max_live")
        if not changes:
            return self.instance
        return members.change(membership=self.instance, changes=changes, actor=self.actor)


@admin.register(Membership)
class MembershipAdmin(OfPersonAdmin):
    """Revoking a reviewer's role releases what they hold."""

    form = MembershipForm
    list_display = ["person", "queue", "role", "max_live", "created_at"]
    list_display_links = ["person"]
    list_filter = [ByQueue, "role"]
    list_select_related = ["user", "queue"]
    remove_verb = _("Revoke")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = ["queue", "user", "role"] if obj is None else ["queue", "person", "role"]
        limits = ["strategy", "max_live"] if obj is None or obj.role == Role.REVIEWER else []
        return [*shown, *limits, *(["created_at"] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["queue", "person", "role", "created_at"] if obj else []

    def get_deleted_sentence(self, obj: Membership) -> Any:
        return _("%(user)s is no %(role)s of %(queue)s any more.") % {
            "user": self.person(obj),
            "role": Role(obj.role).label,
            "queue": obj.queue,
        }

    def consequences(self, obj: Membership) -> list[Any]:
        sentences = [self.get_deleted_sentence(obj)]
        if obj.role == Role.REVIEWER:
            sentences += [
                _("The tasks of this queue that they hold are released at once; an answer under way is lost."),
                _("Tasks meant for them alone are open to anyone."),
                _("What they have answered stays."),
            ]
        return sentences

    def remove(self, request: HttpRequest, obj: Membership) -> None:
        members.revoke(membership=obj, actor=request.user)
