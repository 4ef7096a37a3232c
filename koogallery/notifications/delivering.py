"""What workers do with waiting mail and SMS. Each is started once: a worker that dies while sending leaves the message
parked as uncertain, so that nobody gets it twice."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from email.mime.image import MIMEImage
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from koogallery import clock
from koogallery.kernel import fields, outbox
from koogallery.notifications import gateways, rendering
from koogallery.notifications.models import Message, SentMessage
from koogallery.notifications.states import Channel

Attachment = tuple[str, str, bytes]
"""Name, content type, content."""


class _MailWithPicture(EmailMultiAlternatives):
    """A mail whose only attachment is a picture that its HTML shows."""

    mixed_subtype = "related"


@outbox.handler("mail", once=True)
def deliver_mail(payload: dict[str, Any], key: str) -> None:
    """Send the mail of a message in its reader's language; a reader without an address gets none."""
    message = _message(payload)
    if message is None or not message.user.email:
        return
    with rendering.as_read_by(_language(message), message.user.zone):
        letter = rendering.letter(message.kind, message.params, link=message.link, name=message.user.username)
        _send_mail(message.user.email, letter, key=key, language=_language(message))


@outbox.handler("direct-mail", once=True)
def deliver_direct_mail(payload: dict[str, Any], key: str) -> None:
    """Send a mail to a bare address; what it says was stored encrypted."""
    content = json.loads(fields.decrypt(payload["sealed"]))
    with rendering.as_read_by(content["language"]):
        letter = rendering.letter(content["kind"], content["params"], link=content["link"])
        attachments = [(name, kind, base64.b64decode(data)) for name, kind, data in content["attachments"]]
        _send_mail(content["to"], letter, key=key, language=content["language"], attachments=attachments)


@outbox.handler("sms", once=True)
def deliver_sms(payload: dict[str, Any], key: str) -> None:
    """Send the SMS of a message; a reader without a mobile number gets none."""
    message = _message(payload)
    if message is None or not message.user.mobile:
        return
    language = _language(message)
    with rendering.as_read_by(language, message.user.zone):
        text = rendering.letter(message.kind, message.params, link=message.link).sms
    gateways.gateway().send(to=message.user.mobile, text=text, key=key)
    _keep(Channel.SMS, to=message.user.mobile, text=text, key=key, language=language)


def _message(payload: dict[str, Any]) -> Message | None:
    return Message.objects.filter(user_id=payload["user"], key=payload["key"]).select_related("user__account").first()


def _language(message: Message) -> str:
    account = message.user.account
    return message.user.language or (account.language if account else "") or settings.LANGUAGE_CODE


def _send_mail(
    to: str, letter: rendering.Letter, *, key: str, language: str, attachments: Sequence[Attachment] = ()
) -> None:
    mail = (_MailWithPicture if letter.code and not attachments else EmailMultiAlternatives)(
        subject=letter.subject,
        body=letter.text,
        to=[to],
        headers={
            "Auto-Submitted": "auto-generated",
            "Content-Language": language,
            "Message-ID": f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@koogallery>",
        },
    )
    mail.attach_alternative(letter.html, "text/html")
    for name, content_type, content in attachments:
        mail.attach(name, content, content_type)
    kept = list(attachments)
    if letter.code:
        mail.attach(_inline(letter.code))
        kept.append((f"{rendering.LINK_CODE}.png", "image/png", letter.code))
    mail.send()
    _keep(
        Channel.MAIL,
        to=to,
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        attachments=[
            {"name": name, "type": kind, "content": base64.b64encode(content).decode()} for name, kind, content in kept
        ],
        key=key,
        language=language,
    )


def _inline(code: bytes) -> MIMEImage:
    """The picture of a code as the HTML part refers to it."""
    picture = MIMEImage(code, "png")
    picture.add_header("Content-ID", f"<{rendering.LINK_CODE}>")
    picture.add_header("Content-Disposition", "inline", filename=f"{rendering.LINK_CODE}.png")
    return picture


def _keep(channel: Channel, *, to: str, text: str, key: str, language: str, **rest: Any) -> None:
    if clock.is_rehearsal():
        SentMessage.objects.create(
            channel=channel, recipient=to, text=text, key=key, language=language, sent_at=clock.now(), **rest
        )
