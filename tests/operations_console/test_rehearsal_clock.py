"""The rehearsal clock in the console: shown, advanced, and only there and by those who may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings
from django.urls import reverse

from audit.models import Trace
from koogallery import clock
from koogallery.identity.states import OperatorRole
from koogallery.kernel import rehearsal, sweeps
from koogallery.kernel.sweeps import JobSweep
from koogallery.notifications.models import SentMessage
from tests.personas import Persona, make_operator

START = datetime(2023, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rehearsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    waiting = [START + timedelta(hours=5)]

    def work(upto: datetime) -> int:
        return len([waiting.pop() for due in list(waiting) if due <= upto])

    job = JobSweep("job", lambda: waiting[0] if waiting else None, work)
    monkeypatch.setattr(sweeps, "sweeps", {"job": job})
    clock.use_rehearsal(rehearsal.stands_at)
    with override_settings(REHEARSAL=True, REHEARSAL_START="2023-01-01T08:00:00+08:00"):
        yield
    clock.use_rehearsal(None)


def test_the_clock_is_shown_and_advanced_by_a_duration_a_moment_and_to_the_next_deadline(operator: Persona) -> None:
    address = reverse("admin:clock")
    page = operator.client.get(address)
    assert "Jan 01, 2023 08:00:00 GMT+08:00" in page.content.decode()
    assert page.context["due"] == [("job", START + timedelta(hours=5))]
    assert operator.client.post(address, {"duration": "3 hours"}).status_code == 302
    assert clock.now() == START + timedelta(hours=3)
    assert operator.client.post(address, {"moment": "2023-01-01 12:00"}).status_code == 302
    assert clock.now() == START + timedelta(hours=4)
    done = operator.client.post(address, {"next": "1"}, follow=True)
    assert clock.now() == START + timedelta(hours=5)
    assert "1 row acted on the way." in done.content.decode()
    assert Trace.objects.filter(trace_name="advanceClock", user_name=operator.user.username).count() == 3


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {"duration": "soon"},
        {"moment": "tomorrow"},
        {"duration": "1 hour", "moment": "2023-02-01"},
        {"moment": "2022-01-01"},
    ],
)
def test_what_cannot_be_advanced_to_is_said_and_the_clock_stands(operator: Persona, posted: dict[str, str]) -> None:
    answer = operator.client.post(reverse("admin:clock"), posted)
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert clock.now() == START


def test_nothing_due_is_said(operator: Persona, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "sweeps", {})
    answer = operator.client.post(reverse("admin:clock"), {"next": "1"})
    assert answer.context["form"].non_field_errors() == ["Nothing is due."]


def test_only_administrators_advance(operator: Persona) -> None:
    support = make_operator(OperatorRole.SUPPORT)
    assert support.client.get(reverse("admin:clock")).status_code == 403
    assert support.client.post(reverse("admin:clock"), {"duration": "1 hour"}).status_code == 403
    assert clock.now() == START


def test_the_overview_shows_the_clock(operator: Persona) -> None:
    titles = [str(card.title) for card in operator.client.get("/admin/").context["cards"]]
    assert titles[-1] == "Rehearsal clock"


def test_sent_messages_are_shown_with_their_attachments(operator: Persona) -> None:
    sent = SentMessage.objects.create(
        channel="mail",
        recipient="a@example.test",
        subject="Invoice",
        text="line one\nline <two>",
        attachments=[{"name": 'a"b.pdf', "type": "application/pdf", "content": "Y29udGVudA=="}],
        key="k",
        sent_at=START,
    )
    page = operator.client.get(reverse("admin:notifications_sentmessage_change", args=[sent.pk])).content.decode()
    assert "line one<br>line &lt;two&gt;" in page
    address = reverse("admin:notifications_sentmessage_attachment", args=[sent.pk, 0])
    assert address in page
    attachment = operator.client.get(address)
    assert (attachment.content, attachment["Content-Type"]) == (b"content", "application/pdf")
    assert (
        operator.client.get(reverse("admin:notifications_sentmessage_attachment", args=[sent.pk, 1])).status_code == 404
    )
