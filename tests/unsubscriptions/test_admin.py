"""Operations managers see requests and payouts, try failed refunds again, and keep special agreements."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from billing.models import Refund, RefundPart
from billing.states import GatewayOutcome
from catalog.models import Product
from koogallery import clock
from koogallery.admin_site import dashboard
from koogallery.identity.states import OperatorRole
from koogallery.kernel import files, guard, pages
from koogallery.kernel.sweeps import sweeps
from tests.factories.returns import agree, ask, paid_by, reject
from tests.factories.subscriptions import subscribed
from tests.factories.supervision import Deal, supervised, supervised_product
from tests.personas import Persona, make_buyer, make_operator
from unsubscriptions.models import Payout, Request, SpecialAgreement
from unsubscriptions.operations import paying_out
from unsubscriptions.states import PayoutState, Status

pytestmark = pytest.mark.django_db

HOURS = timedelta(hours=1)


@pytest.fixture
def finance(db: None) -> Persona:
    return make_operator(OperatorRole.FINANCE)


@pytest.fixture
def officer(db: None) -> Persona:
    return make_operator(OperatorRole.APPEAL_OFFICER)


def changelist(model: str, query: str = "") -> str:
    return reverse(f"admin:unsubscriptions_{model}_changelist") + query


def address(row: Any, button: str = "") -> str:
    name = f"admin:unsubscriptions_{row._meta.model_name}"
    return reverse(f"{name}_operation", args=[row.pk, button]) if button else reverse(f"{name}_change", args=[row.pk])


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()))


def asked_now(product: Product | None = None) -> tuple[Deal, Request]:
    deal = supervised("license", at=clock.now(), product=product, buyer=make_buyer())
    return deal, ask(deal, "400.00", reason="other", text="The project has ended.")


def by_card(at: Any) -> tuple[Deal, Payout]:
    """A card's refund that is on its way."""
    deal = paid_by("card", at=at)
    agree(deal, ask(deal, "400.00"))
    return deal, Payout.objects.get(state=PayoutState.DUE)


def stuck(payout: Payout, at: Any) -> Payout:
    """The gateway leaves the refund of a payout unclear for good."""
    with guard.opened("test"):
        part = RefundPart.objects.filter(refund__key__in=paying_out.keys_of(payout))
        part.update(parked_at=at, next_try_at=None, outcome=GatewayOutcome.UNKNOWN, attempts=9)
        Payout.objects.filter(pk=payout.pk).update(state=PayoutState.FAILED, failed_at=at)
    return Payout.objects.get(pk=payout.pk)


# Requests


def test_requests_are_listed_with_their_status_and_found_by_it(officer: Persona) -> None:
    open_deal, waiting = asked_now()
    done_deal, agreed = asked_now()
    agree(done_deal, agreed)
    lost_deal, rejected = asked_now()
    reject(lost_deal, rejected)
    everything = text_of(officer.client.get(changelist("request")))
    for row, label in ((waiting, "Requested"), (agreed, "Refunded"), (rejected, "Rejected")):
        assert row.number in everything and label in everything
        found = text_of(officer.client.get(changelist("request", f"?status={Request.objects.get(pk=row.pk).status}")))
        assert [each.number for each in (waiting, agreed, rejected) if each.number in found] == [row.number]
    found = text_of(officer.client.get(changelist("request", f"?q={open_deal.order.number}")))
    assert waiting.number in found and agreed.number not in found


def test_a_request_shows_words_money_refund_and_evidence(officer: Persona) -> None:
    deal, asked = asked_now()
    text = text_of(officer.client.get(address(asked)))
    for words in ("The project has ended.", "Can be given back now", "USD 1,200.00", deal.order.number):
        assert words in text
    sent = SimpleUploadedFile("proof.pdf", b"%PDF-1.7 %%EOF", content_type="application/pdf")
    uploads = files.receive([sent], owner=deal.seller.account.pk, key=pages.new_key())
    agree(deal, asked, comment="We are sorry.", uploads=uploads)
    page = officer.client.get(address(asked))
    text, refund = text_of(page), Refund.objects.get()
    for words in ("We are sorry.", refund.number, "All of it was back at", "Evidence of the seller", "USD 800.00"):
        assert words in text
    file = asked.files.get().file
    download = officer.client.get(reverse("admin:unsubscriptions_request_file", args=[asked.pk, file.number]))
    assert (download.status_code, download["Content-Disposition"].startswith("attachment")) == (200, True)
    assert Trace.objects.filter(trace_name="downloadUnsubscriptionFile").exists()
    missing = officer.client.get(reverse("admin:unsubscriptions_request_file", args=[asked.pk, "no-such"]))
    assert missing.status_code == 404


@pytest.mark.parametrize("model", ["request", "payout", "specialagreement"])
@pytest.mark.parametrize("role", [OperatorRole.CATALOGUE_REVIEWER, OperatorRole.AUDITOR])
def test_roles_that_do_not_see_unsubscriptions_are_refused(model: str, role: OperatorRole) -> None:
    assert make_operator(role).client.get(changelist(model)).status_code == 403


def test_rows_are_changed_by_nobody(officer: Persona) -> None:
    _deal, asked = asked_now()
    assert officer.client.post(address(asked), {"amount": "1"}).status_code == 403
    assert officer.client.get(reverse("admin:unsubscriptions_request_add")).status_code == 403


@pytest.mark.parametrize("model", ["request", "payout"])
def test_a_list_asks_as_much_for_ten_rows_as_for_one(
    officer: Persona, model: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    product = supervised_product("license")
    counts = []
    for more in (1, 9):
        for _ in range(more):
            deal, asked = asked_now(product)
            agree(deal, asked)
        officer.client.get(changelist(model))
        with django_assert_max_num_queries(20) as captured:
            assert officer.client.get(changelist(model)).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]


# Payouts


def test_a_payout_whose_three_hours_are_over_is_late_work_whether_or_not_the_sweep_ran(finance: Persona) -> None:
    at = clock.now() - 4 * HOURS
    deal, payout = by_card(at)
    _other, done = asked_now()
    agree(_other, done)
    number = payout.request.number
    for _swept in (False, True):
        listed = text_of(finance.client.get(changelist("payout", "?work=attention")))
        assert number in listed and "Late" in listed and done.number not in listed
        page = text_of(finance.client.get(address(payout)))
        assert "It is on its way. It had to be back by" in page and "Late" in page
        sweeps["late-payouts"].run(clock.now())
    admin = make_operator()
    parked = text_of(admin.client.get(reverse("admin:parked")))
    assert number in parked and "The gateway is asked again by itself." in parked
    assert "Refunds of unsubscriptions" in text_of(admin.client.get(reverse("admin:index")))
    assert Payout.objects.get(pk=payout.pk).breached_at == payout.due_at
    assert Refund.objects.filter(order_number=deal.order.number).count() == 1


def test_what_is_not_late_is_no_work(finance: Persona) -> None:
    _deal, payout = by_card(clock.now())
    assert payout.request.number not in text_of(finance.client.get(changelist("payout", "?work=attention")))
    assert payout.request.number in text_of(finance.client.get(changelist("payout", "?work=open")))
    assert "Retry" not in text_of(finance.client.get(address(payout)))


def test_a_failed_payout_is_tried_again_and_refunded_once(finance: Persona) -> None:
    now = clock.now()
    deal, payout = by_card(now)
    failed = stuck(payout, now)
    page = finance.client.get(address(failed))
    assert "The gateway left it unclear at" in text_of(page)
    assert address(failed, "retryPayout") in page.content.decode()
    assert address(failed.request, "retryPayout") in finance.client.get(address(failed.request)).content.decode()
    assert "Nothing is refunded twice." in text_of(finance.client.get(address(failed, "retryPayout")))
    key = pages.new_key()
    for _ in range(2):
        assert finance.client.post(address(failed, "retryPayout"), {"idempotency_key": key}).status_code == 302
    failed.refresh_from_db()
    assert failed.state == PayoutState.DUE
    sweeps["card-refunds"].run(clock.now())
    failed.refresh_from_db()
    assert failed.state == PayoutState.DONE
    assert Refund.objects.filter(order_number=deal.order.number).count() == 1
    assert Request.objects.get().status is Status.REFUNDED
    trace = Trace.objects.filter(trace_name="retryPayout").first()
    assert trace is not None and trace.resource_id == deal.order.number
    again = finance.client.post(address(failed, "retryPayout"), {"idempotency_key": pages.new_key()})
    assert "has not failed" in text_of(again)


def test_parked_work_tries_a_failed_payout_again() -> None:
    now = clock.now()
    _deal, payout = by_card(now)
    failed = stuck(payout, now)
    admin = make_operator()
    page = admin.client.get(reverse("admin:parked"))
    assert failed.request.number in text_of(page) and 'value="payout"' in page.content.decode()
    form = {"kind": "payout", "row": failed.request.number, "idempotency_key": pages.new_key()}
    assert admin.client.post(reverse("admin:parked_retry"), form).status_code == 302
    failed.refresh_from_db()
    assert failed.state == PayoutState.DUE
    gone = admin.client.post(
        reverse("admin:parked_retry"), form | {"row": "UN0", "idempotency_key": pages.new_key()}, follow=True
    )
    assert "no longer parked" in text_of(gone)


def test_an_appeal_officer_cannot_retry_a_refund(officer: Persona) -> None:
    now = clock.now()
    _deal, payout = by_card(now)
    failed = stuck(payout, now)
    assert "Retry" not in text_of(officer.client.get(address(failed)))
    officer.client.post(address(failed, "retryPayout"), {"idempotency_key": pages.new_key()})
    failed.refresh_from_db()
    assert failed.state == PayoutState.FAILED


def test_the_overview_counts_what_is_late_and_failed(rf: Any, finance: Persona) -> None:
    now = clock.now()
    late = by_card(now - 4 * HOURS)[1]
    stuck(late, now)
    by_card(now)
    request = rf.get("/admin/")
    request.user = finance.user
    card = next(card for card in dashboard.cards(request) if str(card.title) == "Refunds of unsubscriptions")
    assert [(str(line.label), line.value, line.alarm) for line in card.lines[:3]] == [
        ("Late", "1", True),
        ("Failed", "1", True),
        ("Not refunded yet", "2", False),
    ]


# Special agreements


def test_a_special_agreement_is_set_replaced_and_ended(officer: Persona) -> None:
    owned = subscribed(at=clock.now().isoformat())
    order = owned.resource.order_number
    page = reverse("admin:unsubscriptions_specialagreement_list_operation", args=["setSpecialAgreement"])
    assert "whatever the table of unsubscription says" in text_of(officer.client.get(page))
    form = {"line": order, "way": "negotiated", "note": "As agreed on the telephone."}
    empty = officer.client.post(page, form | {"note": ""} | {"idempotency_key": pages.new_key()})
    assert empty.status_code == 200 and not SpecialAgreement.objects.exists()
    assert "As agreed" not in text_of(empty) and order in empty.content.decode()
    unknown = officer.client.post(page, form | {"line": "CS0"} | {"idempotency_key": pages.new_key()})
    assert "no longer exists" in text_of(unknown)
    for way in ("negotiated", "never"):
        done = officer.client.post(page, form | {"way": way, "idempotency_key": pages.new_key()})
        assert done.status_code == 302
    agreed = SpecialAgreement.objects.get(ended_at=None)
    assert (agreed.way, agreed.line.number, agreed.granted_by) == ("never", f"{order}-000001", officer.user)
    assert SpecialAgreement.objects.count() == 2
    listed = text_of(officer.client.get(changelist("specialagreement")))
    assert listed.count("As agreed on the telephone.") == 2
    end = address(agreed, "endSpecialAgreement")
    assert officer.client.post(end, {"idempotency_key": pages.new_key()}).status_code == 302
    agreed.refresh_from_db()
    assert agreed.ended_at is not None


def test_finance_sees_agreements_and_cannot_set_them(finance: Persona) -> None:
    assert "Set special agreement" not in text_of(finance.client.get(changelist("specialagreement")))
