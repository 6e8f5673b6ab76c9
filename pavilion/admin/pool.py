"""Pools: making, changing, cloning, posting and deleting them."""

import re
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from pavilion import marketplaces, pay, pools, sessions
from pavilion.admin.figures import amount
from pavilion.exceptions import NameTaken, SessionLive
from pavilion.models import Pool, Project, Session
from pavilion.states import ANSWERS_AT_ONCE, SessionStatus
from queues.admin.asking import ask
from queues.admin.fields import QueueField
from queues.admin.member import raw_id
from queues.admin.writing import WriterForm, WrittenAdmin
from queues.exceptions import CrowdError, InvalidInput

NAME_MAX = 100


class CountriesField(forms.CharField):
    """A list of codes of two letters, written one after the other."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        return [code.upper() for code in re.split(r"[\s,;]+", super().to_python(value) or "") if code]

    def clean(self, value: Any) -> Any:
        return self.to_python(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial or "") != self.to_python(data or ""))


class PoolForm(WriterForm):
    """A pool. What it belongs to, and the queue whose tasks it answers, are given once."""

    project = forms.ModelChoiceField(Project.objects.all(), label=_("Project"))
    queue = QueueField(
        label=_("Queue"), help_text=_("Active workers answer its tasks. Its name or its id; it is set once.")
    )
    backlog_queue = QueueField(
        label=_("Backlog"),
        required=False,
        help_text=_(
            "Those who wait may answer its tasks meanwhile; waiting is what they are paid for. Its name or its id."
        ),
    )
    marketplace = forms.ChoiceField(
        label=_("Marketplace"),
        help_text=_("Where workers are hired and paid. “Invitations” are links that you hand out yourself."),
    )
    countries = CountriesField(
        label=_("Countries"), required=False, help_text=_("Codes of two letters, such as DE, FR. None: any country.")
    )

    class Meta:
        model = Pool
        fields = ["project", "queue", *sorted(pools.POOL_FIELDS)]
        help_texts = {
            "min_waiting": _(
                "The reserve: those who wait are promoted by themselves only while more than these wait. Where "
                "somebody active leaves, the next one is promoted all the same."
            ),
            "min_active": _("A session starts when these and the reserve wait; then so many go active at once."),
            "max_waiting": _("Nobody more is let into the line. At least as many as a session needs to start."),
            "max_active": _("Never are more active, whoever promotes. With the most waiting: so many are hired."),
            "keywords": _("By which workers find it, where the marketplace has a search; separated by commas."),
            "description": _("What workers read before they accept."),
            "base_reward": _("For submitting, however long it took."),
            "answer_reward": _("For each answer that an active worker gives."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & {"queue", "backlog_queue"}:
            self.fields[name].widget = raw_id(Pool, name)
        if "marketplace" in self.fields:
            field: Any = self.fields["marketplace"]
            field.choices = sorted(marketplaces.known().items())

    def write(self) -> Pool:
        try:
            if self.instance.pk is None:
                fields = {name: self.cleaned_data[name] for name in pools.POOL_FIELDS & self.cleaned_data.keys()}
                return pools.create_pool(
                    project=self.cleaned_data["project"], queue=self.cleaned_data["queue"], fields=fields
                )
            return pools.update_pool(pool_id=self.instance.pk, changes=self.changes(*pools.POOL_FIELDS))
        except NameTaken as taken:
            raise InvalidInput.at("/name", taken.detail) from None


class NameForm(forms.Form):
    """What a clone is to be called."""

    name = forms.CharField(label=_("Name"), max_length=NAME_MAX)


@admin.register(Pool)
class PoolAdmin(WrittenAdmin):
    """A pool that was ever at work stays."""

    form = PoolForm
    list_display = ["name", "project", "queue", "marketplace_title", "places", "each", "state"]
    list_filter = ["project"]
    list_select_related = ["project", "queue"]
    search_fields = ["name", "title"]
    ordering = ["project__name", "name"]
    sortable_by = ["name", "project", "queue"]
    change_form_template = "admin/crowd_pavilion/pool/change_form.html"
    remove_verb = _("Delete the pool")
    fieldsets = [
        (None, {"fields": ["project", "name", "queue", "backlog_queue"]}),
        (
            _("What workers see"),
            {"fields": ["title", "description", "keywords", "waiting_instructions", "work_instructions"]},
        ),
        (
            _("Money"),
            {
                "fields": ["base_reward", "waiting_wage", "answer_reward", "budget", "at_most"],
                "description": _("Amounts are in the marketplace’s currency."),
            },
        ),
        (
            _("How many"),
            {
                "fields": ["min_active", "min_waiting", "max_active", "max_waiting"],
                "description": _("They can be changed while a session is live, on its console."),
            },
        ),
        (
            _("Times"),
            {
                "fields": ["time_limit", "confirm_seconds", "heartbeat_seconds", "posting_seconds", "approval_delay"],
                "description": _("All in seconds."),
            },
        ),
        (_("Hiring"), {"fields": ["marketplace", "countries", "approval_rate", "approved_hits"]}),
        (_("Following advice"), {"fields": ["follows_advice", "miss_rate"]}),
    ]

    @admin.display(description=_("marketplace"))
    def marketplace_title(self, pool: Pool) -> str:
        return marketplaces.known().get(pool.marketplace, pool.marketplace)

    @admin.display(description=_("most active + waiting"))
    def places(self, pool: Pool) -> str:
        return f"{pool.max_active} + {pool.max_waiting}"

    @admin.display(description=_("a worker costs up to"))
    def each(self, pool: Pool) -> str:
        return amount(pay.at_most_for_an_offer(pool))

    @admin.display(description=_("a worker costs up to"))
    def at_most(self, pool: Any) -> str:
        # The page of a new pool shows what the values that it begins with come to.
        terms = pool if pool is not None and pool.pk else Pool()
        each, places = pay.at_most_for_an_offer(terms), terms.max_active + terms.max_waiting
        sentence = _now(
            "%(each)s: the base reward, waiting up to the time limit, and %(answers)s answers; for more answers more "
            "is put aside as they come. Posting offers %(places)s places, for which %(all)s are put aside, or as many "
            "as the budget has room for."
        )
        said = sentence % {
            "each": amount(each),
            "answers": ANSWERS_AT_ONCE,
            "places": places,
            "all": amount(each * places),
        }
        return said if terms is pool else _now("With the values that the form begins with, %(said)s") % {"said": said}

    @admin.display(description=_("state"))
    def state(self, pool: Any) -> str:
        if pool.live_session is None:
            return format_html('<span class="crowd-badge">{}</span>', _("not at work"))
        return format_html(
            '<a href="{}"><span class="crowd-badge crowd-good">{}</span></a>',
            self._console(pool.live_session),
            _now("session %(id)s is live") % {"id": pool.live_session},
        )

    def get_queryset(self, request: HttpRequest) -> Any:
        live = Session.objects.filter(pool=OuterRef("pk"), status=SessionStatus.LIVE).values("pk")
        return super().get_queryset(request).annotate(live_session=Subquery(live[:1]))

    def get_urls(self) -> list[Any]:
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"crowd_pavilion_pool_{name}")
            for name, view in (("clone", self.clone_view), ("post", self.post_view))
        ]
        return [*own, *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*self.fieldsets, *([(_("History"), {"fields": ["created_at", "updated_at"]})] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["at_most", *(["project", "queue", "created_at", "updated_at"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or not obj.sessions.exists()) and super().has_delete_permission(request, obj)

    def consequences(self, obj: Pool) -> list[Any]:
        return [_("It is gone. It was never at work, so nothing else is.")]

    def remove(self, request: HttpRequest, obj: Pool) -> None:
        pools.delete_pool(pool_id=obj.pk)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> Any:  # type: ignore[override]
        pool = kwargs.get("obj")
        if pool is not None:
            live = Session.objects.filter(pool=pool, status=SessionStatus.LIVE).first()
            context |= {
                "live": live,
                "may_change": self.has_change_permission(request, pool),
                "may_add": self.has_add_permission(request),
            }
        return super().render_change_form(request, context, **kwargs)

    def clone_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Another pool like this one, under the name that is asked for."""
        pool = get_object_or_404(Pool, pk=pk)
        if not self.has_add_permission(request):
            raise PermissionDenied

        def clone(name: str) -> HttpResponse:
            try:
                made = pools.clone_pool(pool_id=pk, name=name)
            except NameTaken as taken:
                raise InvalidInput.at("/name", taken.detail) from None
            self.log_addition(request, made, _now("Cloned from %(pool)s.") % {"pool": pool})
            self.message_user(request, _now("This is the clone; nothing is posted yet."), messages.SUCCESS)
            return HttpResponseRedirect(self.page_of(made.pk))

        return ask(
            self,
            request,
            pool,
            title=_now("Clone %(pool)s") % {"pool": pool},
            verb=_("Clone"),
            sentences=[_("The new pool belongs to the same project and queue, and has the same terms.")],
            form=partial(NameForm, initial={"name": _copy_of(pool)}),
            act=clone,
            then=self.page_of(pk),
            danger=False,
        )

    def post_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put the pool to work, and go to the console of its session."""
        pool = get_object_or_404(Pool, pk=pk)
        if not self.has_change_permission(request, pool):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self.page_of(pk))
        try:
            session = sessions.post(pool_id=pk, actor=request.user)
        except SessionLive as live:
            self.message_user(request, live.detail, messages.WARNING)
            return HttpResponseRedirect(self._console(live.extra["session"]))
        except CrowdError as refused:
            self.message_user(request, refused.detail, messages.ERROR)
            return HttpResponseRedirect(self.page_of(pk))
        self.log_change(request, pool, _now("Posted as session %(id)s.") % {"id": session.pk})
        self.message_user(request, _now("The pool is posted. This is its console."), messages.SUCCESS)
        return HttpResponseRedirect(self._console(session.pk))

    def page_of(self, pk: int) -> str:
        """The address of a pool's page."""
        return reverse("admin:crowd_pavilion_pool_change", args=[pk], current_app=self.admin_site.name)

    def _console(self, session_id: int) -> str:
        return reverse("admin:crowd_pavilion_session_change", args=[session_id], current_app=self.admin_site.name)


def _copy_of(pool: Pool) -> str:
    """A name for a clone that the project does not have yet."""
    taken = set(Pool.objects.filter(project=pool.project_id).values_list("name", flat=True))
    base = pool.name[: NAME_MAX - 10]
    names = (f"{base} {number}" for number in range(2, len(taken) + 3))
    return next(name for name in names if name not in taken)
