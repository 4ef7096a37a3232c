"""Special agreements and what else goes on about a resource: renewals, provisioning, due completions, invoices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from billing.operations.checking import check_ledger
from billing.queries import LiveInvoice, balance, order_money, use_invoices
from billing.queries import _invoices as invoices_port
from koogallery import clock
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications.models import Message
from orders.models import Order, Resource
from orders.operations import renewing as placing
from orders.operations import resources
from orders.queries import renewing
from orders.queries.resources import own_resource
from orders.rules.quote import sign
from orders.states import OrderState, OrderType, ResourceStatus
from orders.views.auto_renewals import failure
from supervision.states import Step
from tests.factories import orders
from tests.factories.billing import usd
from tests.factories.returns import agree, ask, reject, specially
from tests.factories.subscriptions import Owned, image, moment, period_product, subscribed
from tests.factories.supervision import seller_of, supervised
from tests.orders.test_changes import yearly
from tests.personas import make_buyer
from tests.unsubscriptions.test_images import unsubscribe, unsubscribe_renewal
from tests.unsubscriptions.test_races import race
from unsubscriptions.models import Request
from unsubscriptions.operations import requesting, reviewing
from unsubscriptions.queries.entries import entry_of
from unsubscriptions.queries.lists import image_resources
from unsubscriptions.views.images import row_refusals

pytestmark = pytest.mark.django_db


def refused(work: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value


def in_sound_books() -> None:
    assert check_ledger(system_call()).findings == []


def asking(owned: Owned, amount: str = "10.00") -> Request:
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    return requesting.request(call, line=owned.resource.line.number, amount=usd(amount), reason="by_mistake")


def agreeing(owned: Owned, asked: Request) -> Request:
    seller = seller_of(owned.resource.product)
    answered = reviewing.agree(seller.call(at=owned.now, key=pages.new_key()), request=asked.number)
    owned.resource.refresh_from_db()
    return answered


def rejecting(owned: Owned, asked: Request) -> Request:
    seller = seller_of(owned.resource.product)
    return reviewing.reject(seller.call(at=owned.now, key=pages.new_key()), request=asked.number)


def specially_owned(owned: Owned, way: str = "negotiated") -> Owned:
    specially(owned.resource.line.number, way, at=owned.now)
    return owned


# Renewals and changes of what is negotiated


@pytest.mark.parametrize("make", [image, subscribed])
def test_renewals_that_have_not_started_are_given_back_whole_with_what_is_negotiated(make: Any) -> None:
    owned = make(at="2026-01-31")
    renewals = [owned.renew("1-month"), owned.renew("1-month")]
    specially_owned(owned)
    whole = renewals[0].total + renewals[1].total
    before = balance(owned.buyer.account.pk)
    asked = asking(owned, "4.00")
    assert (asked.money, asked.renewals, asked.negotiated) == (usd(4) + whole, whole, usd(4))
    assert asked.limit == owned.resource.line.total + whole
    in_sound_books()
    payout = agreeing(owned, asked).payout
    assert (owned.resource.status, payout.money) == (ResourceStatus.CLOSED, usd(4) + whole)
    assert balance(owned.buyer.account.pk) == before + usd(4) + whole
    for order in renewals:
        order.refresh_from_db()
        money = order_money(order.number)
        assert (money.refunded, money.earned, order.unsubscribed_at) == (order.total, usd(0), owned.now)
    assert order_money(asked.order_number).refunded == usd(4)
    told = Message.objects.filter(kind="unsubscription_settled").get()
    left = owned.resource.line.total - usd(4)
    assert str(left.amount) in str(told.params["left"])
    in_sound_books()


def test_the_amount_that_is_negotiated_is_at_most_what_was_paid_for_the_purchase() -> None:
    owned = image(at="2026-01-31")
    owned.renew("1-month")
    specially_owned(owned)
    assert refused(lambda: asking(owned, "100.01")).code == "unsub_exceeds"
    assert asking(owned, "100.00").money == usd(200)


def test_what_a_renewal_that_runs_or_a_change_paid_for_is_not_negotiated() -> None:
    owned = image(at="2026-01-31")
    order = owned.renew("1-month")
    specially_owned(owned)
    asked = asking(owned)
    owned.at("2026-03-05")
    why = refused(lambda: agreeing(owned, asked))
    assert (why.code, order.number in why.sentence) == ("unsub_renewed", True)
    rejecting(owned, asked)
    assert refused(lambda: asking(owned)).code == "unsub_renewed"
    order.refresh_from_db()
    assert (order.unsubscribed_at, Order.objects.filter(type=OrderType.UNSUBSCRIBE).exists()) == (None, False)


def test_a_purchase_that_was_changed_for_money_is_not_negotiated_alone() -> None:
    owned = specially_owned(subscribed(term="1-year", at="2026-01-10", product=yearly()))
    order = owned.change(kind="upgrade", target="pro")
    why = refused(lambda: asking(owned))
    assert (order.amount > 0, why.code, order.number in why.sentence) == (True, "unsub_renewed", True)


def test_a_renewal_that_has_not_started_is_given_back_alone_beside_a_special_agreement() -> None:
    owned = image(at="2026-01-31")
    order = owned.renew("1-month")
    specially_owned(owned, "never")
    assert refused(lambda: unsubscribe_renewal(owned)).code == "unsub_by_agreement"
    specially_owned(owned)
    assert unsubscribe_renewal(owned).money == usd(100)
    order.refresh_from_db()
    assert order.unsubscribed_at == owned.now
    asked = asking(owned, "100.00")
    assert (asked.money, asked.renewals) == (usd(100), usd(0))
    agreeing(owned, asked)
    in_sound_books()


def test_an_invoice_over_such_a_renewal_stands_against_it() -> None:
    owned = image(at="2026-01-31")
    line = owned.renew("1-month").line.number
    specially_owned(owned)
    known = list(invoices_port)
    use_invoices(lambda lines: {each: LiveInvoice("IN1", "/x/") for each in lines if each == line})
    try:
        assert refused(lambda: asking(owned)).code == "unsub_invoiced"
    finally:
        invoices_port[:] = known


# While a request is open


def test_while_a_request_is_open_its_resource_is_neither_renewed_changed_nor_disabled() -> None:
    owned = specially_owned(subscribed(at="2026-03-10"))
    asked = asking(owned)
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    shown = own_resource(call, owned.resource.number)
    in_force = None
    for found in (
        renewing.why_not_renewable(shown, at=owned.now, in_force=in_force),
        renewing.why_not_renewable(owned.resource, at=owned.now, in_force=in_force),
        renewing.why_not_changeable(shown, at=owned.now, in_force=in_force),
        refused(lambda: owned.place("1-month")),
        refused(lambda: resources.close_resource(call, resource=owned.resource.number)),
    ):
        assert found is not None
        assert (found.code, asked.number in found.sentence) == ("resource_unsub_open", True)
    rejecting(owned, asked)
    assert owned.renew("1-month").state == OrderState.COMPLETED


def test_while_a_request_is_open_it_does_not_renew_itself_and_the_buyer_reads_why() -> None:
    owned = specially_owned(subscribed(at="2026-03-10"))
    owned.automate("1-month")
    asked = asking(owned)
    owned.at("2026-04-05")
    assert owned.expires == "2026-04-10"
    failed = Message.objects.filter(kind="auto_renewal_failed")
    assert failed.exists()
    auto = owned.resource.auto_renewal
    auto.refresh_from_db()
    assert auto.failure == "resource_unsub_open"
    found = failure(auto)
    assert found is not None and found.cure_url == asked.get_absolute_url()
    rejecting(owned, asked)
    owned.at("2026-04-08")
    assert owned.expires == "2026-05-10"


# Provisioning, due completions, later agreements


def test_what_is_being_provisioned_without_supervision_is_not_given_back() -> None:
    at, who = clock.now(), make_buyer()
    product = period_product(
        interface_version="2", interface_url="http://127.0.0.1:8765/", interface_key="0123456789abcdef" * 2
    )
    order = orders.bought(who, product, funds=1000, at=at, term="1-month")
    line = order.lines.get().number
    specially(line, at=at)
    call = who.call(at=at, key=pages.new_key())
    why = refused(lambda: requesting.request(call, line=line, amount=usd(10), reason="by_mistake"))
    assert why.code == "unsub_provisioning"


def test_a_completion_that_is_due_counts_whether_or_not_the_sweep_has_run() -> None:
    deal = supervised("license")
    specially(deal.flow.number, at=deal.at)
    deal.deliver()
    deal.accept()
    due = deal.at
    deal.wait(hours=4)
    asked = ask(deal, "10.00")
    assert (asked.is_open, deal.step, deal.order.state) == (True, Step.COMPLETED, OrderState.COMPLETED)
    assert deal.order.completed_at is not None and deal.order.completed_at > due
    agree(deal, asked)
    with clock.at(deal.at):
        sweeps["completing-flows"].run(deal.at)
    assert order_money(deal.order.number).earned == usd(1190)
    in_sound_books()


def test_agreed_never_meanwhile_a_request_can_only_be_rejected() -> None:
    deal = supervised("license")
    asked = ask(deal, "400.00")
    specially(deal.flow.number, "never", at=deal.at)
    assert refused(lambda: agree(deal, asked)).code == "unsub_by_agreement"
    assert reject(deal, asked).status.value == "rejected"


def test_a_line_with_several_resources_is_not_given_back() -> None:
    owned = specially_owned(image(at="2026-01-31"))
    with guard.opened("test"):
        second = Resource.objects.get(pk=owned.resource.pk)
        second.pk, second.number, second.item, second.instance_id = None, "RS0000000002", 2, ""
        second.save(force_insert=True)
    assert refused(lambda: asking(owned)).code == "unsub_several"


# Images


def test_the_purchase_is_marked_when_only_its_renewals_are_given_back() -> None:
    owned = image(at="2026-01-31")
    owned.renew("1-month")
    owned.at("2026-03-10")
    unsubscribe(owned)
    order = Order.objects.get(number=owned.resource.order_number)
    assert order.unsubscribed_at == owned.now
    assert entry_of(owned.buyer.call(at=owned.now), order) is None
    in_sound_books()


def test_an_invoice_over_the_running_term_does_not_stand_against_the_renewal_alone() -> None:
    owned = image(at="2026-01-31")
    renewal = owned.renew("1-month").line.number
    first = owned.resource.line.number
    known = list(invoices_port)
    invoiced = {first}
    use_invoices(lambda lines: {each: LiveInvoice("IN1", "/x/") for each in lines if each in invoiced})
    try:
        assert refused(lambda: unsubscribe(owned)).code == "unsub_invoiced"
        assert unsubscribe_renewal(owned).money == usd(100)
        invoiced.add(renewal)
    finally:
        invoices_port[:] = known


# What pages offer


def test_unsubscribe_is_offered_where_a_special_agreement_allows_it_and_not_where_it_forbids_it() -> None:
    owned = subscribed(at="2026-03-10")
    order, call = Order.objects.get(number=owned.resource.order_number), owned.buyer.call(at=owned.now)
    assert entry_of(call, order) is None
    specially_owned(owned)
    entry = entry_of(call, Order.objects.get(pk=order.pk))
    assert entry is not None and owned.resource.line.number in entry.url
    deal = supervised("license")
    assert entry_of(deal.buyer.call(at=deal.at), deal.order) is not None
    specially(deal.flow.number, "never", at=deal.at)
    assert entry_of(deal.buyer.call(at=deal.at), deal.order) is None
    owned = specially_owned(image(at="2026-01-31"))
    order = Order.objects.get(number=owned.resource.order_number)
    entry = entry_of(owned.buyer.call(at=owned.now), order)
    assert entry is not None and owned.resource.line.number in entry.url


def test_a_frozen_account_reads_so_where_images_are_offered() -> None:
    owned = image(at="2026-01-31")
    with guard.opened("test"):
        account = owned.buyer.account
        account.frozen_at, account.frozen_by, account.frozen_reason = owned.now, "operations", "Checked."
        account.save()
    order = Order.objects.get(number=owned.resource.order_number)
    call = owned.buyer.call(at=owned.now)
    call.account.refresh_from_db()
    entry = entry_of(call, order)
    assert entry is not None and entry.refused is not None and entry.refused.code == "account_frozen"


@pytest.mark.parametrize(
    ("way", "whole", "alone"),
    [("negotiated", "unsub_negotiated", ""), ("never", "unsub_by_agreement", "unsub_by_agreement")],
)
def test_rows_of_images_tell_what_a_special_agreement_says(way: str, whole: str, alone: str) -> None:
    owned = image(at="2026-01-31")
    owned.renew("1-month")
    specially_owned(owned, way)
    call = owned.buyer.call(at=owned.now)
    row = image_resources(owned.buyer.account.pk, owned.now).get()
    row.shown = ResourceStatus.ENABLED
    assert [found.code if found else "" for found in row_refusals(row, call)] == [whole, alone]


def test_a_row_of_an_image_names_its_open_request() -> None:
    owned = specially_owned(image(at="2026-01-31"))
    asked = asking(owned)
    row = image_resources(owned.buyer.account.pk, owned.now).get()
    row.shown = ResourceStatus.ENABLED
    found = row_refusals(row, owned.buyer.call(at=owned.now))
    assert [(why.code, why.params["number"]) for why in found if why] == [("unsub_open", asked.number)] * 2


def test_both_sides_read_which_renewals_go_back_whole_before_they_answer() -> None:
    owned = image(at=(clock.now() - timedelta(hours=1)).isoformat())
    owned.now = clock.now()
    renewal = specially_owned(owned).renew("1-month")
    form = reverse("unsubscriptions:request", args=[owned.resource.line.number])

    def named(html: str) -> bool:
        return all(text in html for text in ("Renewals that have not started", renewal.number, "USD 100.00"))

    assert named(owned.buyer.client.get(form).content.decode())
    data = {"amount": "40.00", "reason": "no_longer_needed"}
    dialog = owned.buyer.client.post(form, data).content.decode().partition("<dialog")[2]
    assert named(dialog.partition("</dialog>")[0])
    asked = asking(owned, "40.00")
    assert named(owned.buyer.client.get(asked.get_absolute_url()).content.decode())
    seller = seller_of(owned.resource.product)
    html = seller.client.get(asked.get_seller_url()).content.decode()
    assert named(html) and named(html.partition('<dialog class="dialog" id="agree"')[2].partition("</dialog>")[0])
    agreeing(owned, asked)
    for reader, url in ((owned.buyer, asked.get_absolute_url()), (seller, asked.get_seller_url())):
        assert named(reader.client.get(url).content.decode())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other", ["renewal", "disable", "attempt"])
def test_a_request_and_what_ends_or_prolongs_its_resource_never_both_happen(other: str) -> None:
    for _round in range(3):
        owned = specially_owned(subscribed(at="2026-03-10"))
        if other == "attempt":
            owned.automate("1-month")
            owned.now = moment("2026-04-08")
        quote = sign(owned.quote("1-month")) if other == "renewal" else None
        calls = [owned.buyer.call(at=owned.now, key=pages.new_key()) for _each in range(2)]
        line, number = owned.resource.line.number, owned.resource.number

        def asks(call: Any = calls[0], line: str = line) -> None:
            requesting.request(call, line=line, amount=usd(4), reason="by_mistake")

        def does(call: Any = calls[1], number: str = number, quote: Any = quote, at: Any = owned.now) -> None:
            if other == "renewal":
                placing.place_renewal(call, resource=number, quote=quote)
            elif other == "disable":
                resources.close_resource(call, resource=number)
            else:
                with clock.at(at):
                    sweeps["auto-renewals"].run(at)

        ended = race(asks, does)
        owned.resource.refresh_from_db()
        asked = Request.objects.filter(line__number=line).first()
        if other == "attempt":
            renewed = owned.expires == "2026-05-10"
            assert asked is not None and asked.renewals == usd(10 if renewed else 0)
        else:
            assert ended["done"] == 1 and set(ended) <= {"done", "unsub_busy", "unsub_expired", "resource_unsub_open"}
    in_sound_books()
