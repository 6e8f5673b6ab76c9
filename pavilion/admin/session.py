"""Sessions: the list of them, and what an operator does to one from its console."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from pavilion import console, pool, sessions
from pavilion.admin.asking import ReasonForm
from pavilion.admin.console import SENTENCES, Console
from pavilion.admin.figures import amount
from pavilion.models import Seat, Session
from pavilion.states import HIRES_MAX, SeatStatus, SessionStatus
from queues.admin.asking import ask, do
from queues.admin.writing import WriterForm, WrittenAdmin

BADGES = {SessionStatus.LIVE: "crowd-good", SessionStatus.DRAINING: "crowd-warning", SessionStatus.EXPIRED: ""}


class CountForm(forms.Form):
    """How many."""

    count = forms.IntegerField(min_value=1, max_value=HIRES_MAX)


class LimitsForm(WriterForm):
    """The limits and the budget of a live session."""

    class Meta:
        model = Session
        fields = ["min_active", "min_waiting", "max_active", "max_waiting", "budget"]
        help_texts = {
            "min_active": _("A session that has not started yet starts when these and the reserve wait."),
            "min_waiting": _("The reserve: those who wait are promoted by themselves only while more than these wait."),
            "max_active": _("With more, more places are offered; with fewer, nobody is sent away."),
            "max_waiting": _("With more, more places are offered; with fewer, the latest offers are withdrawn."),
            "budget": _("What the session may cost at most, offers included. Empty: there is no limit."),
        }

    def write(self) -> Session:
        changes = self.changes(*sessions.CHANGEABLE)
        if not changes:
            return self.instance
        return sessions.change(session_id=self.instance.pk, changes=changes, actor=self.actor)


@admin.register(Session)
class SessionAdmin(WrittenAdmin):
    """A session is made by posting a pool, and is never deleted. Its change page is its console."""

    list_display = ["name", "state", "queue", "posted_at", "people", "earned", "committed_of"]
    list_display_links = ["name"]
    list_filter = ["status", "pool__project"]
    list_select_related = ["pool__project", "pool__queue"]
    search_fields = ["pool__name", "pool__project__name"]
    sortable_by = ()
    form = LimitsForm

    @admin.display(description=_("session"))
    def name(self, session: Session) -> str:
        return _now("%(id)s of %(pool)s, %(project)s") % {
            "id": session.pk,
            "pool": session.pool.name,
            "project": session.pool.project.name,
        }

    @admin.display(description=_("state"))
    def state(self, session: Session) -> str:
        status = SessionStatus(session.status)
        label = _("live, not started") if session.is_live and session.started_at is None else status.label
        return format_html('<span class="crowd-badge {}">{}</span>', BADGES[status], label)

    @admin.display(description=_("queue"))
    def queue(self, session: Session) -> str:
        return str(session.pool.queue)

    @admin.display(description=_("waiting / active"))
    def people(self, session: Any) -> str:
        return f"{session.n_waiting} / {session.n_active}" if session.is_live else "–"

    @admin.display(description=_("earned"))
    def earned(self, session: Session) -> str:
        return amount(session.owed)

    @admin.display(description=_("committed, of the budget"))
    def committed_of(self, session: Session) -> str:
        committed = amount(session.committed)
        if session.budget is None:
            return committed
        return _now("%(committed)s of %(budget)s") % {"committed": committed, "budget": amount(session.budget)}

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .annotate(n_waiting=_live_seats(SeatStatus.WAITING), n_active=_live_seats(SeatStatus.ACTIVE))
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        views: list[tuple[str, Callable[..., HttpResponse]]] = [
            ("change", require_GET(self.change_view)),
            ("now", require_GET(self.now_view)),
            ("start", require_POST(self.start_view)),
            ("stop", self.stop_view),
            ("expire", self.expire_view),
            ("migrate", require_POST(self.migrate_view)),
            ("hire", require_POST(self.hire_view)),
            ("limits", self.limits_view),
        ]
        own = [
            path(f"<int:object_id>/{name}/", self.admin_site.admin_view(view), name=f"crowd_pavilion_session_{name}")
            for name, view in views
        ]
        dismiss = path(
            "<int:object_id>/seats/<int:seat_id>/dismiss/",
            self.admin_site.admin_view(self.dismiss_view),
            name="crowd_pavilion_session_dismiss",
        )
        return [*own, dismiss, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: Any, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The console."""
        self._admit(request)
        try:
            now = console.now(object_id)
        except Session.DoesNotExist:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(object_id))  # type: ignore[attr-defined]
        context = {**Console(self, request).context(now), **(extra_context or {})}
        response = TemplateResponse(request, "admin/crowd_pavilion/session/console.html", context)
        add_never_cache_headers(response)
        return response

    def now_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The refresh of the console."""
        self._admit(request)
        try:
            data = Console(self, request).refresh(console.now(object_id))
        except Session.DoesNotExist:
            return JsonResponse({"detail": str(SENTENCES["gone"])}, status=404)
        return JsonResponse(data, headers={"Cache-Control": "no-store"})

    def start_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Begin with those who wait."""
        session = self._changed(request, object_id)

        def start() -> str:
            sessions.start(session_id=object_id, actor=request.user)
            self.log_change(request, session, _now("Started."))
            return _now("The session has started.")

        return do(self, request, start, then=self.console_of(object_id))

    def stop_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Submit everybody, once that is confirmed."""
        session = self._changed(request, object_id)

        def stop() -> str:
            sessions.stop(session_id=object_id, actor=request.user)
            self.log_change(request, session, _now("Stopped."))
            return _now("The session is stopped: everybody has been submitted.")

        return ask(
            self,
            request,
            session,
            title=_now("Stop session %(id)s") % {"id": object_id},
            verb=_("Stop the session"),
            sentences=[self._who_is_there(session), *ENDING],
            act=stop,
            then=self.console_of(object_id),
        )

    def expire_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """End the session, once that is confirmed."""
        session = self._changed(request, object_id)

        def expire() -> str:
            sessions.expire(session_id=object_id, actor=request.user)
            self.log_change(request, session, _now("Ended."))
            return _now("The session has ended.")

        return ask(
            self,
            request,
            session,
            title=_now("End session %(id)s") % {"id": object_id},
            verb=_("End the session"),
            sentences=[self._who_is_there(session), *ENDING] if session.is_live else ENDING[1:],
            act=expire,
            then=self.console_of(object_id),
        )

    def migrate_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Promote so many."""

        def migrate(count: int) -> str:
            promoted = len(pool.migrate(session_id=object_id, count=count, actor=request.user))
            said = ngettext("%(n)s worker was promoted.", "%(n)s workers were promoted.", promoted)
            return said % {"n": promoted}

        return self._counted(request, object_id, migrate)

    def hire_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Offer so many more places."""

        def hire(count: int) -> str:
            hired = pool.hire(session_id=object_id, count=count, actor=request.user)
            said = ngettext("%(n)s more place is offered.", "%(n)s more places are offered.", hired) % {"n": hired}
            return said if hired == count else said + " " + _now("For more the budget has no room.")

        return self._counted(request, object_id, hire)

    def _counted(self, request: HttpRequest, object_id: int, act: Callable[[int], str]) -> HttpResponse:
        session = self._changed(request, object_id)
        form = CountForm(request.POST)
        if not form.is_valid():
            said = _now("How many must be a number from 1 to %(most)s.") % {"most": HIRES_MAX}
            self.message_user(request, said, messages.ERROR)
            return HttpResponseRedirect(self.console_of(object_id))

        def carry_out() -> str:
            said = act(form.cleaned_data["count"])
            self.log_change(request, session, said)
            return said

        return do(self, request, carry_out, then=self.console_of(object_id))

    def limits_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Change the limits and the budget."""
        session = self._changed(request, object_id)

        def form(*data: Any) -> LimitsForm:
            made = LimitsForm(*data, instance=session)
            made.actor = request.user
            return made

        def changed(**data: Any) -> str:
            self.log_change(request, session, _now("Limits or budget changed."))
            return _now("The limits and the budget are set.")

        return ask(
            self,
            request,
            session,
            title=_now("Limits and budget of session %(id)s") % {"id": object_id},
            verb=_("Save"),
            sentences=[_("They hold for this session alone: those of the pool are for the sessions to come.")],
            form=form,
            act=changed,
            then=self.console_of(object_id),
            danger=False,
        )

    def dismiss_view(self, request: HttpRequest, object_id: int, seat_id: int) -> HttpResponse:
        """End a worker's seat, once it is said why."""
        session = self._changed(request, object_id)
        seat = get_object_or_404(Seat.objects.select_related("worker"), pk=seat_id, session=session)

        def dismiss(reason: str) -> str:
            pool.dismiss(seat_id=seat_id, actor=request.user, reason=reason)
            self.log_change(request, session, _now("%(worker)s was dismissed.") % {"worker": seat.worker})
            return _now("%(worker)s was dismissed.") % {"worker": seat.worker}

        return ask(
            self,
            request,
            session,
            title=_now("Dismiss %(worker)s") % {"worker": seat.worker},
            verb=_("Dismiss"),
            sentences=[
                _("Their seat ends at once; what they hold is taken back."),
                _("They are paid for waiting and for their answers, and get no base reward."),
                _("One more place is offered, and where they are active the next worker is promoted."),
                _("They may come again. To prevent that, block them."),
            ],
            form=ReasonForm,
            act=dismiss,
            then=self.console_of(object_id),
        )

    def console_of(self, session_id: int) -> str:
        """The address of a session's console."""
        return reverse("admin:crowd_pavilion_session_change", args=[session_id], current_app=self.admin_site.name)

    def _admit(self, request: HttpRequest) -> None:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied

    def _changed(self, request: HttpRequest, session_id: int) -> Session:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(Session.objects.select_related("pool"), pk=session_id)

    def _who_is_there(self, session: Session) -> str:
        waiting, active = Seat.objects.filter(session=session).counts()
        return _now(
            "Everybody is submitted, and paid the base reward, their waiting and their answers: %(waiting)s who wait "
            "and %(active)s who are active."
        ) % {"waiting": waiting, "active": active}


ENDING = [
    _("Nobody more is let in, promoted or hired."),
    _("Places that nobody has taken are withdrawn from the marketplace."),
    _("It does not begin again. Post the pool for another session."),
]
"""What the end of a session means, besides for those who are there."""


def _live_seats(status: SeatStatus) -> Any:
    """How many live seats of the outer session have this status."""
    seats = Seat.objects.live().filter(session=OuterRef("pk"), status=status).order_by().values("session")
    number = seats.annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(number, output_field=IntegerField()), 0)
