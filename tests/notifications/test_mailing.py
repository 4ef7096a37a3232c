"""What a mail is made of: bodies, attachments, and the code of its link."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as policy

import pytest
import zxingcpp
from django.core import mail as postbox
from django.test import override_settings
from django.utils import translation
from PIL import Image

from koogallery import clock
from koogallery.kernel import outbox
from koogallery.notifications import rendering
from koogallery.notifications.kinds import KINDS, kind_named
from koogallery.notifications.models import SentMessage
from koogallery.notifications.operations import mail

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LINK = "/console/offers/PO1/"
ADDRESS = "http://testserver/console/offers/PO1/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kind_with_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "email_verification", replace(kind_named("email_verification"), qr_of_link=True))


def send(**changes: object) -> EmailMessage:
    """Mail to a bare address; what leaves, as a mail program reads it."""
    values: dict = {
        "to": "new@example.test",
        "kind": "email_verification",
        "params": {"name": "new", "hours": 24},
        "language": "en",
        "link": LINK,
        "key": "verify:1",
        "at": AT,
    }
    mail(**{**values, **changes})
    with clock.at(AT):
        assert outbox.deliver_due(AT) == 1
    return BytesParser(EmailMessage, policy=policy).parsebytes(postbox.outbox[-1].message().as_bytes())


def decoded(png: bytes) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(png)).convert("L"))]


def html_of(message: EmailMessage) -> str:
    return message.get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_the_code_in_the_html_part_leads_where_the_link_leads() -> None:
    message = send()
    assert message.get_content_type() == "multipart/related"
    (picture,) = [part for part in message.walk() if part.get_content_maintype() == "image"]
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html_of(message)
    assert 'alt="QR code of the link above"' in html_of(message)
    assert picture.get_content_disposition() == "inline"
    assert decoded(picture.get_content()) == [ADDRESS]
    assert ADDRESS in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_beside_the_code_an_attachment_stays_an_attachment() -> None:
    message = send(attachments=[("a.txt", "text/plain", b"content")])
    assert message.get_content_type() == "multipart/mixed"
    kinds = {part.get_filename(): part.get_content_disposition() for part in message.walk() if part.get_filename()}
    assert kinds == {"a.txt": "attachment", "link-code.png": "inline"}


def test_a_mail_without_a_link_has_no_code() -> None:
    message = send(link="")
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert "cid:" not in html_of(message)


def test_a_kind_that_asks_for_no_code_gets_none() -> None:
    message = send(kind="password_reset")
    assert not [part for part in message.walk() if part.get_content_maintype() == "image"]
    assert "cid:" not in html_of(message)


@override_settings(REHEARSAL=True)
def test_a_rehearsal_keeps_the_code_with_the_attachments() -> None:
    send(attachments=[("a.txt", "text/plain", b"content")])
    kept = SentMessage.objects.get()
    assert [(item["name"], item["type"]) for item in kept.attachments] == [
        ("a.txt", "text/plain"),
        ("link-code.png", "image/png"),
    ]
    assert decoded(base64.b64decode(kept.attachments[1]["content"])) == [ADDRESS]


@pytest.mark.parametrize("name", sorted(name for name, kind in KINDS.items() if kind.qr_of_link))
def test_every_kind_that_asks_for_a_code_shows_it_in_both_languages(name: str) -> None:
    for language in ("en", "zh-hans"):
        with translation.override(language):
            letter = rendering.letter(name, {}, link=LINK)
        assert decoded(letter.code) == [ADDRESS]
        assert "cid:link-code" in letter.html
