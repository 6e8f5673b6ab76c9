"""What operators are asked before they act on a worker."""

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    """Why; the worker is told."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200, required=False, help_text=_("Kept, and shown to the worker.")
    )
