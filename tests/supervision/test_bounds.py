"""What one party sends is bounded: nothing is stored that would be refused, messages per minute, what a page shows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from audit.models import Trace
from koogallery import clock
from koogallery.kernel import guard, pages, rates
from koogallery.kernel.calls import Role
from koogallery.kernel.files import storing
from supervision.models import FlowMessage, FlowRecord
from supervision.states import Step
from supervision.views import appeals, details
from tests.factories import identity
from tests.factories.supervision import Deal, supervised
from tests.personas import Persona

pytestmark = pytest.mark.django_db


def pdf(name: str = "proof.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"%PDF-1.7 words %%EOF")


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys under which something was stored."""
    keys: list[str] = []
    put = storing.put

    def noted(file: Any, *, key: str, sealed: bool) -> None:
        keys.append(key)
        put(file, key=key, sealed=sealed)

    monkeypatch.setattr(storing, "put", noted)
    return keys


def address(deal: Deal, name: str) -> str:
    return reverse(f"supervision:{name}", args=[deal.flow.number])


def test_a_frozen_flow_stores_nothing_of_a_delivery_and_traces_the_refusal(stored: list[str]) -> None:
    deal = supervised("license", at=clock.now())
    deal.appeal()
    answer = deal.seller.client.post(address(deal, "deliver"), {"proof": pdf(), "comment": "Here it is."})
    assert answer.status_code == 422
    assert "Here it is." in answer.content.decode()
    assert stored == []
    assert Trace.objects.filter(trace_name="deliverService", trace_rating="warning").count() == 1


def test_a_denied_user_stores_nothing(buyer: Persona, stored: list[str]) -> None:
    assert buyer.account is not None
    clerk = Persona(identity.UserFactory(account=buyer.account, is_root=False, username="narrow"), Role.BUYER)
    identity.deny(
        clerk.user, "marketplace:supervision:sendSupervisionMessage", "marketplace:supervision:initiateAppeal"
    )
    deal = supervised("license", at=clock.now(), buyer=buyer)
    for name, field in (("message", "text"), ("appeal", "reason")):
        assert clerk.client.post(address(deal, name), {field: "Words", "files": pdf()}).status_code == 422
    assert stored == []
    assert not deal.flow.messages.exists()
    assert buyer.client.post(address(deal, "message"), {"text": "Words", "files": pdf()}).status_code == 302
    assert len(stored) == 1


def test_a_form_with_files_that_was_sent_twice_is_answered_twice_and_done_once() -> None:
    deal = supervised("license", at=clock.now())
    key = pages.new_key()
    for _each in range(2):
        answer = deal.seller.client.post(address(deal, "deliver"), {"proof": pdf(), pages.KEY_FIELD: key})
        assert answer.status_code == 302
    assert deal.step == Step.CONFIRM
    assert deal.flow.files.count() == 1


def test_messages_of_one_user_in_one_flow_are_limited_per_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    deal = supervised("license", at=clock.now())
    asked: list[tuple[str, str, int]] = []

    def is_within(*, what: str, who: str, per_minute: int) -> bool:
        asked.append((what, who, per_minute))
        return len(asked) < 2

    monkeypatch.setattr(rates, "is_within", is_within)
    assert deal.buyer.client.get(address(deal, "message")).status_code == 200
    assert deal.buyer.client.post(address(deal, "message"), {"text": "One"}).status_code == 302
    refused = deal.buyer.client.post(address(deal, "message"), {"text": "Two words more", "files": pdf()})
    assert refused.status_code == 429
    page = refused.content.decode()
    assert "Too many messages in a short time." in page
    assert re.search(r"<textarea[^>]*>\s*Two words more</textarea>", page) and 'name="text"' in page
    assert asked == [("supervision-message", f"{deal.flow.number}:{deal.buyer.user.pk}", appeals.MESSAGES_A_MINUTE)] * 2
    assert list(deal.flow.messages.values_list("text", flat=True)) == ["One"]
    assert not deal.flow.files.exists()


@pytest.mark.parametrize("side", ["detail", "seller_detail"])
def test_a_page_shows_the_newest_messages_and_records_and_leads_to_all(side: str) -> None:
    deal = supervised("license", at=clock.now())
    who = deal.seller if side == "seller_detail" else deal.buyer
    few = who.client.get(address(deal, side)).content.decode()
    assert '"?all=1' not in few
    with guard.opened("test"):
        FlowMessage.objects.bulk_create(
            FlowMessage(flow=deal.flow, at=deal.at, actor="buyer", text=f"word-{number:03d}")
            for number in range(details.NEWEST_MESSAGES + 1)
        )
        FlowRecord.objects.bulk_create(
            FlowRecord(
                flow=deal.flow, at=deal.at, actor="buyer", kind="remind", step="hand_over", comment=f"note-{n:03d}"
            )
            for n in range(details.NEWEST_RECORDS + 1)
        )
    shown = who.client.get(address(deal, side)).content.decode()
    assert shown.count("word-") == details.NEWEST_MESSAGES
    assert "word-000" not in shown
    assert shown.index("word-001") < shown.index("word-050")
    assert shown.count("note-") == details.NEWEST_RECORDS
    assert "note-000" not in shown
    assert '"?all=1#messages"' in shown
    assert '"?all=1#records"' in shown
    whole = who.client.get(address(deal, side) + "?all=1").content.decode()
    assert "word-000" in whole
    assert "note-000" in whole
    assert '"?all=1' not in whole
