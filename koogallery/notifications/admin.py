"""Messages for operations managers: what people were told, and in a rehearsal all that was sent."""

from __future__ import annotations

import base64
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join, urlize
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from koogallery.kernel import display
from koogallery.kernel.admin import GuardedModelAdmin, shown_moment
from koogallery.notifications.models import Message, SentMessage


@admin.register(Message)
class MessageAdmin(GuardedModelAdmin):
    """What users find in their message centre."""

    list_display = ["subject", "user", "topic", "severity", shown_moment("created_at", _("Received")), "read_at"]
    list_filter = ["topic", "severity", "kind"]
    list_select_related = ["user"]
    search_fields = ["=user__sign_in_name", "=key"]
    fields = ["user", "topic", "severity", "subject", "body", "link", "created_at", "read_at"]
    readonly_fields = ["subject", "body"]


@admin.register(SentMessage)
class SentMessageAdmin(GuardedModelAdmin):
    """Every e-mail and SMS that left a rehearsal."""

    list_display = ["shown_subject", "channel", "recipient", shown_moment("sent_at", _("Sent")), "attached"]
    list_filter = ["channel", "language"]
    search_fields = ["recipient", "subject", "text"]
    fields = ["channel", "recipient", "subject", "shown_text", "attached", "language", "sent_at", "key"]
    readonly_fields = ["shown_text", "attached"]

    @admin.display(description=_("Subject"))
    def shown_subject(self, row: SentMessage) -> str:
        """The subject, or an SMS's text."""
        return str(row)

    @admin.display(description=_("Text"))
    def shown_text(self, row: SentMessage) -> SafeString:
        """The text with its line breaks, its addresses as links."""
        return mark_safe("<br>".join(urlize(line, autoescape=True) for line in row.text.splitlines()))

    @admin.display(description=_("Attachments"))
    def attached(self, row: SentMessage) -> Any:
        """Links to the attachments."""
        if not row.attachments:
            return display.NOTHING
        return format_html_join(
            ", ",
            '<a href="{}">{}</a>',
            (
                (reverse("admin:notifications_sentmessage_attachment", args=[row.pk, place]), item["name"])
                for place, item in enumerate(row.attachments)
            ),
        )

    def get_urls(self) -> list[URLPattern]:
        attachment = self.admin_site.admin_view(self.attachment)
        name = "notifications_sentmessage_attachment"
        return [path("<int:number>/attachments/<int:place>/", attachment, name=name), *super().get_urls()]

    def attachment(self, request: HttpRequest, number: int, place: int) -> HttpResponse:
        """One attachment, as a download."""
        row = self.get_object(request, str(number))
        if row is None or not self.has_view_permission(request, row) or place >= len(row.attachments):
            raise Http404
        item = row.attachments[place]
        response = HttpResponse(base64.b64decode(item["content"]), content_type=item["type"])
        response["Content-Disposition"] = content_disposition_header(True, item["name"]) or "attachment"
        return response
