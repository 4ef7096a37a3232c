"""HTTP in, clean values out: requests, reasons, deliveries, appeals, messages. The operations judge."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.validators import URLValidator
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.states import DeliveryMethod
from koogallery.kernel import display, files
from koogallery.kernel.calls import Call
from orders.saas.answers import ApplicationInfo
from supervision.models import Flow
from supervision.operations.delivering import Delivery
from supervision.rules.terms import runs_from_enabling
from supervision.rules.texts import MAX_CHARACTERS
from supervision.states import Template

TO_THE_MINUTE = "%Y-%m-%dT%H:%M"


class Words(forms.CharField):
    """A text of up to 1,000 characters with a counter; whether it will do is the operation's to say."""

    widget = forms.Textarea

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs |= {"maxlength": MAX_CHARACTERS, "rows": 5}

    def validate(self, value: Any) -> None:
        """Nothing: an empty text is refused with its reason."""


class ReasonForm(forms.Form):
    """Why something is rejected."""

    reason = Words(label=gettext_lazy("Reason"))


class FewFiles(files.FilesField):
    """Files of a flow; whether they are missing is the operation's to say."""

    def clean(self, value: Any) -> list[files.Upload]:
        """The uploads, none included."""
        asked, self.required = self.required, False
        try:
            return super().clean(value)
        finally:
            self.required = asked


class RequestForm(files.FilesForm):
    """What the buyer needs; the product says whether the seller's template must come with it."""

    description = Words(
        label=gettext_lazy("Requirement Description"),
        help_text=gettext_lazy("Leave out passwords, card numbers and other sensitive data."),
    )
    files = FewFiles(label=gettext_lazy("Attachment"))  # type: ignore[assignment]

    def __init__(self, *args: Any, needs_attachment: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["files"].required = needs_attachment

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, so that only the confirmation is left."""
        text = self.cleaned_data.get("description", "")
        has_files = bool(self.cleaned_data.get("files")) or not self.fields["files"].required
        return bool(text) and len(text) <= MAX_CHARACTERS and has_files


class AppealForm(files.FilesForm):
    """Why operations should decide, and what proves it."""

    reason = Words(label=gettext_lazy("Reason"))
    files = FewFiles(label=gettext_lazy("Attachment"))  # type: ignore[assignment]


class MessageForm(files.FilesForm):
    """A message to the other side."""

    text = Words(label=gettext_lazy("Message"))
    files = FewFiles(label=gettext_lazy("Attachment"))  # type: ignore[assignment]


WEB = URLValidator(
    schemes=["http", "https"], message=gettext_lazy("Enter an address that begins with https:// or http://.")
)
UNSEEN = gettext_lazy("Kept encrypted; the customer sees it behind an eye.")


def _address_field(label: Any) -> forms.CharField:
    typed = {"inputmode": "url", "placeholder": "https://", "autocomplete": "off"}
    return forms.CharField(
        label=label, required=False, max_length=512, validators=[WEB], widget=forms.TextInput(attrs=typed)
    )


class DeliveryForm(files.FilesForm):
    """What the seller hands over: the fields that a flow takes, and no others."""

    proof = FewFiles(label=gettext_lazy("Delivery proof"))
    enabling_at = forms.DateTimeField(
        label=gettext_lazy("Enabling time"),
        required=False,
        input_formats=[TO_THE_MINUTE, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(format=TO_THE_MINUTE, attrs={"type": "datetime-local"}),
    )
    frontend_url = _address_field(gettext_lazy("Frontend URL"))
    management_url = _address_field(gettext_lazy("Management URL"))
    username = forms.CharField(
        label=gettext_lazy("Username"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        max_length=255,
        strip=False,
        widget=forms.PasswordInput(render_value=True, attrs={"autocomplete": "new-password"}),
        help_text=UNSEEN,
    )
    note = forms.CharField(
        label=gettext_lazy("Note for the customer"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    license_key = forms.CharField(
        label=gettext_lazy("License key"),
        required=False,
        max_length=4000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=UNSEEN,
    )
    license_files = FewFiles(label=gettext_lazy("License files"), sealed=True)
    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=100)
    tracking_number = forms.CharField(label=gettext_lazy("Tracking number"), max_length=100)
    comment = Words(label=gettext_lazy("Comment"), required=False)

    def __init__(self, *args: Any, flow: Flow, call: Call, **kwargs: Any) -> None:
        self.resource = flow.line.resources.first()
        super().__init__(*args, call=call, initial=_known(self.resource), **kwargs)
        for name in self.fields.keys() - _taken(flow):
            del self.fields[name]
        self.fields["proof"].required = flow.proof_required
        if flow.takes_enabling_time:
            self._bound_enabling(flow, at=call.at)
        if "password" in self.fields and self.resource is not None and self.resource.password:
            self.fields["password"].help_text = _("Left empty, the password of your last delivery stays.")

    def _bound_enabling(self, flow: Flow, *, at: datetime) -> None:
        paid = flow.order.paid_at or flow.created_at
        enabling = self.fields["enabling_at"]
        enabling.widget.attrs |= {
            "min": timezone.localtime(_next_minute(paid)).strftime(TO_THE_MINUTE),
            "max": timezone.localtime(at).strftime(TO_THE_MINUTE),
        }
        text = (
            _(
                "From when on the service could be used, in %(zone)s: not before the payment, %(paid)s, and not later "
                "than now. The customer sees it before accepting, and the term runs from then. Left empty, it runs "
                "from the acceptance."
            )
            if runs_from_enabling(flow.policies)
            else _(
                "From when on the service could be used, in %(zone)s: not before the payment, %(paid)s, and not later "
                "than now. The customer sees it before accepting; the term runs from the acceptance."
            )
        )
        enabling.help_text = text % {"zone": display.zone_text(display.shown(at)), "paid": display.moment_text(paid)}

    @property
    def delivery(self) -> Delivery:
        """What was entered."""
        entered = self.cleaned_data
        return Delivery(
            proof=entered.get("proof", ()),
            enabling_at=entered.get("enabling_at"),
            application=self._application(),
            license_key=entered.get("license_key", ""),
            license_files=entered.get("license_files", ()),
            carrier=entered.get("carrier", ""),
            tracking_number=entered.get("tracking_number", ""),
            comment=entered.get("comment", ""),
        )

    def _application(self) -> ApplicationInfo | None:
        entered = self.cleaned_data
        if not any(entered.get(name) for name in APPLICATION):
            return None
        known = self.resource.password if self.resource is not None else ""
        return ApplicationInfo(
            front_end_url=entered["frontend_url"],
            admin_url=entered["management_url"],
            user_name=entered["username"],
            password=entered["password"] or known,
            memo=entered["note"],
        )


def _next_minute(moment: datetime) -> datetime:
    """The first full minute that is not before a moment."""
    minute = moment.replace(second=0, microsecond=0)
    return minute if minute == moment else minute + timedelta(minutes=1)


APPLICATION = ("frontend_url", "management_url", "username", "password", "note")


def _taken(flow: Flow) -> set[str]:
    """The fields that a delivery of a flow has."""
    names = {"proof", "comment"}
    if flow.takes_enabling_time:
        names.add("enabling_at")
    if flow.delivery_method == DeliveryMethod.SAAS:
        names.update(APPLICATION)
    if flow.template == Template.LICENSE:
        names |= {"license_key", "license_files"}
    if flow.template == Template.HARDWARE:
        names |= {"carrier", "tracking_number"}
    return names


def _known(resource: Any) -> dict[str, str]:
    """What an earlier delivery brought, to be corrected; secrets stay out."""
    if resource is None:
        return {}
    return {
        "frontend_url": resource.frontend_url,
        "management_url": resource.admin_url,
        "username": resource.user_name,
        "note": resource.memo,
    }
