"""The console: one live page for each session. session.py has the actions that it offers."""

from pathlib import Path
from typing import Any

from django.contrib.admin.exceptions import NotRegistered
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

import assignments
from assignments.views import sockets
from pavilion import console, hiring
from pavilion.admin import figures
from pavilion.models import Payment, Pool, Seat, Session, Worker
from pavilion.states import HIRES_MAX

UPLOT = Path(assignments.__file__).resolve().parent / "static" / "assignments" / "vendor" / "uplot.js"

SENTENCES = {
    "live": _("Live"),
    "polling": _("Not live: looking every 5 s"),
    "off": _("Refreshing is paused."),
    "away": _("The site cannot be reached. This page keeps trying."),
    "signed_out": _("You are signed out, so the numbers stand still."),
    "forbidden": _("You may not see this any more."),
    "gone": _("There is no such session. Its numbers stand still."),
    "pause": _("Pause refreshing"),
    "resume": _("Refresh again"),
}
"""What board.js says."""


class Console:
    """The console of one session, as one user sees it."""

    def __init__(self, model_admin: Any, request: HttpRequest) -> None:
        self.model_admin, self.request = model_admin, request
        self.may_change = model_admin.has_change_permission(request)
        self.may_view_workers = self._may("view", Worker)
        self.may_block = self._may("change", Worker)
        self.may_view_payments = self._may("view", Payment)
        self.may_view_pools = self._may("view", Pool)

    def _may(self, verb: str, model: Any) -> bool:
        try:
            registered = self.model_admin.admin_site.get_model_admin(model)
        except NotRegistered:
            return False
        return bool(getattr(registered, f"has_{verb}_permission")(self.request))

    def reverse(self, name: str, *args: Any) -> str:
        return reverse(f"admin:crowd_pavilion_{name}", args=args, current_app=self.model_admin.admin_site.name)

    def refresh(self, now: console.Now) -> dict[str, Any]:
        """What a refresh carries."""
        links: dict[str, Any] = {
            "worker": self._worker,
            "dismiss": self._dismiss if now.session.is_live else _nowhere,
            "block": self._block if now.session.is_live else _nowhere,
        }
        invitations = self._invitations(now.session)
        shown = figures.shown(now) | {"invitations": bool(invitations)}
        rows = {
            "waiting": figures.people(now.in_line, now.as_of, **links),
            "active": figures.people(now.at_work, now.as_of, **links),
            "moves": figures.moves(now.moves, worker=self._worker),
            "invitations": invitations,
        }
        bodies = {
            name: render_to_string(f"admin/crowd_pavilion/session/rows_{name}.html", {"rows": of_it})
            for name, of_it in rows.items()
        }
        plots = {"queues": figures.plot(now.series)}
        return {"texts": figures.texts(now), "shown": shown, "bodies": bodies, "plots": plots}

    def context(self, now: console.Now) -> dict[str, Any]:
        """What the page is made of."""
        session = now.session
        return {
            **self.model_admin.admin_site.each_context(self.request),
            # The tables need the whole width; the way back is in the line above them.
            "is_nav_sidebar_enabled": False,
            "opts": self.model_admin.opts,
            "title": _("Session %(id)s of %(pool)s") % {"id": session.pk, "pool": session.pool},
            "session": session,
            "now": self.refresh(now),
            "address": self.reverse("session_now", session.pk),
            "socket": sockets.address(self.request, f"/ws/pool/{session.pk}/console/"),
            "sentences": SENTENCES,
            "back": self.request.get_full_path(),
            "heads": figures.HEADS,
            "uplot": UPLOT.exists(),
            "may_change": self.may_change,
            "may_view_payments": self.may_view_payments,
            "may_view_pools": self.may_view_pools,
            "count_max": HIRES_MAX,
            "shareable": self._shareable(session),
        }

    def _worker(self, seat: Seat) -> str | None:
        return self.reverse("worker_change", seat.worker_id) if self.may_view_workers else None

    def _dismiss(self, seat: Seat) -> str | None:
        return self.reverse("session_dismiss", seat.session_id, seat.pk) if self.may_change else None

    def _block(self, seat: Seat) -> str | None:
        at = self.reverse("worker_block", seat.worker_id)
        return f"{at}?session={seat.session_id}" if self.may_block else None

    def _invitations(self, session: Session) -> list[dict[str, Any]]:
        """Links to places; whoever may not change the session hands out none."""
        if not self.may_change:
            return []
        return [
            {"key": hire.pk, "url": self._whole(hiring.address(session_id=session.pk, hire_id=hire.pk))}
            for hire in console.invitations(session)
        ]

    def _shareable(self, session: Session) -> str:
        """The link that leads to whichever place is open; "" where there is none to hand out."""
        if not self.may_change or not console.hands_out_links(session):
            return ""
        return self._whole(hiring.address(session_id=session.pk))

    def _whole(self, address: str) -> str:
        return self.request.build_absolute_uri(address)


def _nowhere(seat: Seat) -> None:
    """No page."""
