"""What the forms above the lists ask for. A form that cannot be read says why and keeps what was typed."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from assignments import done, metrics
from assignments.states import AssignmentStatus
from queues.models import Queue

FIRST, LAST = date(2000, 1, 1), date(2999, 12, 31)


class _Queues(forms.ModelChoiceField):
    """One queue, by its name."""

    def __init__(self) -> None:
        super().__init__(
            Queue.objects.none(),
            to_field_name="name",
            required=False,
            label=_("Queue"),
            empty_label=_("All queues"),
            error_messages={"invalid_choice": _("You have no work in a queue of that name.")},
        )


class _DayInput(forms.DateInput):
    input_type = "date"


class _Day(forms.DateField):
    """A day as the browser's own field sends it."""

    def __init__(self, label: Any) -> None:
        super().__init__(
            required=False,
            label=label,
            widget=_DayInput(format="%Y-%m-%d"),
            input_formats=["%Y-%m-%d"],
            error_messages={"invalid": _("Write the day as year-month-day, such as 2026-11-24.")},
            validators=[
                MinValueValidator(FIRST, _("That day is too long ago.")),
                MaxValueValidator(LAST, _("That day is too far ahead.")),
            ],
        )


class DoneForm(forms.Form):
    """Which of the things one did to show, and where in the list to begin."""

    queue = _Queues()
    status = forms.ChoiceField(
        required=False,
        label=_("State"),
        choices=[("", _("All states")), *((end.value, end.label) for end in done.ENDS)],
        error_messages={"invalid_choice": _("There is no such state.")},
    )
    first = _Day(_("From"))
    last = _Day(_("To"))
    before = forms.IntegerField(
        required=False,
        widget=forms.HiddenInput,
        min_value=1,
        max_value=2**63 - 1,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), _("That place in the list is not known; this is its beginning.")
        ),
    )

    def __init__(self, data: Any, *, queues: QuerySet[Queue]) -> None:
        super().__init__(data, auto_id="filter-%s")
        self.fields["queue"].queryset = queues  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The days in their order."""
        values = super().clean() or self.cleaned_data
        for name in {"first", "last"} & set(self.errors):
            # A field for days shows nothing that is not one, and what was typed would be lost.
            self.fields[name].widget.input_type = "text"
        first, last = values.get("first"), values.get("last")
        if first and last and last < first:
            self.add_error("last", _("This day is before the first."))
        return values

    def wanted(self) -> done.Filter:
        """What could be read of it."""
        values = self.cleaned_data
        status = values.get("status")
        return done.Filter(
            queue=values.get("queue"),
            status=AssignmentStatus(status) if status else None,
            first=values.get("first"),
            last=values.get("last"),
        )


class MetricsForm(forms.Form):
    """Which numbers to show."""

    period = forms.ChoiceField(
        required=False,
        label=_("By"),
        choices=[("day", _("Day")), ("week", _("Week")), ("month", _("Month"))],
        error_messages={"invalid_choice": _("Numbers come by day, week or month.")},
    )
    queue = _Queues()

    def __init__(self, data: Any, *, queues: QuerySet[Queue]) -> None:
        super().__init__(data, auto_id="filter-%s")
        self.fields["queue"].queryset = queues  # type: ignore[attr-defined]

    def period_wanted(self) -> str:
        """The period, by day where none could be read."""
        return self.cleaned_data.get("period") or next(iter(metrics.PERIODS))
