"""Form fields of the admin: people and queues by what names them, JSON as text, one text a line."""

import json
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from queues import priority, strictjson
from queues.models import Queue
from queues.people import ANYONE, users_by_email

PK_LENGTH = 254
"""Characters of an id or an e-mail."""


def _by_id(model: Any, text: str) -> Any:
    try:
        return model._default_manager.filter(pk=text).first()
    except (ValueError, OverflowError, ValidationError):
        return None


class NamedField(forms.CharField):
    """A row by its id, as the window of a raw id gives it, or by what people call it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=PK_LENGTH, **kwargs)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return str(initial or "") != str(data or "").strip()

    def named(self, text: str) -> Any:
        """The row. Raises ValidationError."""
        raise NotImplementedError

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return self.named(text) if text else None


class PersonField(NamedField):
    """A user by e-mail or id."""

    def named(self, text: str) -> Any:
        if "@" in text:
            found = users_by_email([text])[text.lower()]
            if len(found) != 1:
                raise ValidationError(_("%(email)s is not exactly one active user."), params={"email": text})
            return found[0]
        user = _by_id(get_user_model(), text)
        if user is None:
            raise ValidationError(
                _("There is no user with the id %(id)s. Give an id or an e-mail."), params={"id": text}
            )
        return user


class TargetField(PersonField):
    """A user by e-mail or id; ~ANYONE, or nothing, is anyone."""

    def named(self, text: str) -> Any:
        return None if text == ANYONE else super().named(text)


class QueueField(NamedField):
    """A living queue by name or id."""

    def named(self, text: str) -> Any:
        queue = Queue.objects.alive().filter(name=text).first() or _by_id(Queue.objects.alive().model, text)
        if queue is None or queue.archived_at is not None:
            raise ValidationError(_("There is no queue %(name)s. Give its name or its id."), params={"name": text})
        return queue


class JSONText(forms.JSONField):
    """JSON as this house takes it. Empty text is `empty`."""

    empty_values = [None, ""]

    def __init__(self, *, empty: Any = None, **kwargs: Any) -> None:
        self.empty = empty
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        if value is None:
            return self.empty
        if isinstance(value, str):
            text = value.strip()
            if not text:
                return self.empty
            try:
                return strictjson.loads(text.encode("utf-8", "surrogatepass"))
            except strictjson.StrictJSONError as error:
                raise ValidationError(str(error)) from None
        return value

    def validate(self, value: Any) -> None:
        if self.required and value is None:
            raise ValidationError(self.error_messages["required"], code="required")

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False, indent=2)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(initial != self.to_python(data))
        except ValidationError:
            return True


class LinesField(forms.CharField):
    """A tuple of texts, one a line; empty lines count for nothing."""

    widget = forms.Textarea

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return tuple(line.strip() for line in text.splitlines() if line.strip())


class PriorityField(forms.CharField):
    """A priority or a change of one, as a priority.Change."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            help_text=_(
                "5 is the most important, 995 the least. A number, a step such as “+10” (less important), or an "
                "expression of N, the present priority: “(N*2)+12”."
            ),
            **kwargs,
        )

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return priority.parse(text)
        except priority.PriorityError as refused:
            raise ValidationError(refused.sentence) from None


class MomentField(forms.SplitDateTimeField):
    """A date and a time, each of which says to a screen reader what it is of."""

    widget = AdminSplitDateTime

    def __init__(self, *, label: Any) -> None:
        super().__init__(label=label, required=False)
        for part, name in zip(self.widget.widgets, (_("date"), _("time")), strict=True):
            part.attrs["aria-label"] = format_lazy("{}: {}", label, name)
