"""HTTP in, clean values out: a new ticket, a reply. The operations judge."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from koogallery.kernel import files
from koogallery.tickets.queries import linked
from koogallery.tickets.rules import MAX_CHARACTERS, MAX_SUBJECT
from koogallery.tickets.states import CHOOSABLE


class Words(forms.CharField):
    """A text with a counter; whether it will do is the operation's to say."""

    widget = forms.Textarea

    def __init__(self, *, rows: int = 6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs |= {"maxlength": MAX_CHARACTERS, "rows": rows}

    def validate(self, value: Any) -> None:
        """Nothing: an empty text is refused with its reason."""


class TicketForm(files.FilesForm):
    """A new ticket."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=[(kind.value, kind.label) for kind in CHOOSABLE],
    )
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=MAX_SUBJECT)
    description = Words(
        label=gettext_lazy("Description"),
        help_text=gettext_lazy("Leave out passwords, card numbers and other sensitive data."),
    )
    linked_kind = forms.ChoiceField(label=gettext_lazy("Linked object"), required=False)
    linked_number = forms.CharField(
        label=pgettext_lazy("linked object", "Number"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("The number of the order or other object that this is about."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    files = files.FilesField(label=gettext_lazy("Attachment"))  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(kind.key, kind.label) for kind in linked.kinds()]
        cast(forms.ChoiceField, self.fields["linked_kind"]).choices = known if len(known) == 1 else [
            ("", _("None")), *known
        ]  # fmt: skip


class ReplyForm(files.FilesForm):
    """A reply to operations."""

    text = Words(label=gettext_lazy("Message"), rows=4)
    files = files.FilesField(label=gettext_lazy("Attachment"))  # type: ignore[assignment]
