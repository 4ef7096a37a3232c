"""Who reads a milestone bill: in the reader's language, with the order's policy, as identity policies allow."""

from __future__ import annotations

import html
import io
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation
from pypdf import PdfReader

from audit.models import Trace
from billing.models import Charge, MilestoneBill
from billing.operations import repaying
from koogallery import clock
from koogallery.kernel import pages, policies, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.notifications import rendering
from koogallery.notifications.models import Message
from supervision.states import Step
from tests.factories import billing as money
from tests.factories import identity
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones, one_time_product, repay
from tests.factories.supervision import AT, Deal
from tests.personas import Persona, make_buyer

pytestmark = pytest.mark.django_db

LIST = "/console/bills/milestones/"
BLOCKS = "the next milestone of the order may not be accepted"
ENGLISH, CHINESE = "Harbor works", "港口工程"


def bilingual(**fields: Any) -> Deal:
    return in_milestones(product=one_time_product(name=ENGLISH, name_zh=CHINESE), **fields)


def bill_of(deal: Deal) -> MilestoneBill:
    return bills_of(deal.order)[0]


def read(deal: Deal, address: str, language: str) -> str:
    deal.buyer.client.cookies["django_language"] = language
    response = deal.buyer.client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    if response["Content-Type"] == "application/pdf":
        return "".join("".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(response.content)).pages)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return html.unescape(content.decode())


# In the reader's language


@pytest.mark.parametrize("file", ["page", "list", "pdf", "csv"])
def test_a_bill_names_its_product_in_the_reader_s_language(file: str) -> None:
    deal = bilingual()
    number = bill_of(deal).number
    address = {
        "page": bill_of(deal).get_absolute_url(),
        "list": LIST,
        "pdf": reverse("billing:milestone_bill_pdf", args=[number]),
        "csv": reverse("billing:milestone_bill_csv", args=[number]),
    }[file]
    english, chinese = ENGLISH.replace(" ", "") if file == "pdf" else ENGLISH, CHINESE
    assert chinese in read(deal, address, "zh-hans")
    assert english not in read(deal, address, "zh-hans")
    assert english in read(deal, address, "en")
    assert chinese not in read(deal, address, "en")


def test_messages_about_a_bill_name_its_product_in_the_reader_s_language() -> None:
    deal = bilingual()
    repay(bill_of(deal), at=AT)
    kinds = ("private_offer", "milestone_bill", "milestone_bill_repaid", "milestone_repaid_seller")
    for kind in kinds:
        message = Message.objects.filter(kind=kind).first()
        assert message is not None, kind
        told = {}
        for language in ("en", "zh-hans"):
            with translation.override(language):
                told[language] = rendering.shown(message.params)["product"]
        assert (ENGLISH in told["en"], CHINESE in told["zh-hans"]) == (True, True), kind
        assert CHINESE not in told["en"] and ENGLISH not in told["zh-hans"], kind


def test_what_is_charged_and_refunded_stands_in_bills_in_the_reader_s_language() -> None:
    deal = bilingual().to(Step.ACCEPT)
    repay(bill_of(deal), at=deal.at)
    deal.appeal()
    deal.decide("refund_all")
    charges = list(Charge.objects.order_by("pk"))
    assert [charge.kind for charge in charges] == ["charge", "refund"]
    for charge in charges:
        for address in (charge.get_absolute_url(), "/console/bills/"):
            assert CHINESE in read(deal, address, "zh-hans")
            assert CHINESE not in read(deal, address, "en")


def test_a_product_without_a_chinese_name_keeps_its_own() -> None:
    deal = in_milestones(product=one_time_product(name=ENGLISH, name_zh=""))
    assert ENGLISH in read(deal, bill_of(deal).get_absolute_url(), "zh-hans")


# What an overdue bill keeps from happening


def overdue_words(deal: Deal) -> tuple[bool, bool]:
    """Whether the page and the reminder of an overdue bill say that it blocks the acceptance."""
    bill = bill_of(deal)
    moment = bill.due_at + timedelta(days=1)
    with clock.at(moment):
        page = read(deal, bill.get_absolute_url(), "en")
        sweeps.sweeps["milestone-bill-reminders"].run(moment)
    message = Message.objects.filter(kind="milestone_bill_overdue").latest("pk")
    told = rendering.body(message.kind, message.params)
    assert "was due" in page and "was due at" in told and told == told.strip() and "—" not in told
    return BLOCKS in page, BLOCKS in told


def test_an_overdue_bill_says_that_it_blocks_the_next_acceptance() -> None:
    assert overdue_words(in_milestones()) == (True, True)


def test_an_overdue_bill_blocks_nothing_where_the_policy_lets_it() -> None:
    policies.choose(system_call(at=AT - timedelta(hours=1)), overrides={"milestone.block_on_overdue": False})
    assert overdue_words(in_milestones()) == (False, False)


def test_an_overdue_bill_blocks_nothing_once_all_milestones_are_accepted() -> None:
    deal = in_milestones(shares=["50", "50"]).to(Step.ACCEPT)
    deal.accept()
    deal.to(Step.ACCEPTED)
    assert overdue_words(deal) == (False, False)


def test_an_overdue_bill_blocks_nothing_after_a_decision_has_completed_the_order() -> None:
    deal = in_milestones().to(Step.ACCEPT)
    deal.appeal()
    deal.decide("complete")
    assert overdue_words(deal) == (False, False)


# As identity policies allow, and as traces tell


@pytest.fixture
def denied() -> tuple[Deal, Persona, Deal]:
    """Two orders of an account and a user who is denied all bills of the first one's product."""
    buyer = make_buyer()
    deal, other = in_milestones(buyer=buyer), in_milestones(buyer=buyer)
    assert buyer.account is not None
    user = identity.UserFactory(account=buyer.account, is_root=False, username="reader")
    actions = ("marketplace:milestoneBill:*", "marketplace:payment:repayMilestoneBill")
    identity.allow(user, *actions)
    identity.deny(user, *actions, products=[deal.order.product_code], name="Not this product")
    return deal, Persona(user, buyer.role), other


def test_a_denied_product_s_bills_are_neither_shown_nor_repaid(denied: tuple[Deal, Persona, Deal]) -> None:
    deal, reader, other = denied
    bill, allowed = bill_of(deal), bill_of(other)
    assert deal.buyer.account is not None
    money.fund(deal.buyer.account, 1000)
    for name in ("milestone_bill", "milestone_bill_pdf", "milestone_bill_csv"):
        assert reader.client.get(reverse(f"billing:{name}", args=[bill.number])).status_code == 403
        assert reader.client.get(reverse(f"billing:{name}", args=[allowed.number])).status_code == 200
    with pytest.raises(Refused):
        repaying.repay(reader.call(at=AT, key=pages.new_key()), bill=bill.number, method="balance")
    payment = repaying.repay(reader.call(at=AT, key=pages.new_key()), bill=allowed.number, method="balance")
    assert payment.money == usd(300)


def test_the_trace_of_the_list_names_what_it_was_filtered_by() -> None:
    deal = in_milestones()
    assert deal.buyer.client.get(f"{LIST}?tab=open&product=Harbor").status_code == 200
    trace = Trace.objects.filter(trace_name="queryMilestoneBillList").latest("pk")
    assert trace.request["filters"] == {"tab": "open", "product": "Harbor"}
