"""HTTP in, clean values out: the seller's review. The operations judge."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy

from koogallery.kernel import files
from supervision.rules.texts import MAX_CHARACTERS


class ReviewForm(files.FilesForm):
    """What the seller says to a request, and what proves it; whether agreed or rejected is the button's to say."""

    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        help_text=gettext_lazy("The customer sees it."),
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": MAX_CHARACTERS}),
    )
    files = files.FilesField(label=gettext_lazy("Evidence files"))  # type: ignore[assignment]
