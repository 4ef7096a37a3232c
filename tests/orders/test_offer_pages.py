"""The link of a private offer and the pages to the confirmed order, as a browser without JavaScript walks them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.test import Client

from audit.models import Trace
from billing.models import MilestoneBill
from catalog.models import PrivateOffer
from catalog.operations import offers as offering
from koogallery import clock
from koogallery.identity.states import FrozenBy
from koogallery.kernel import guard, pages, rates
from orders.models import Order
from orders.operations import cancelling
from orders.states import OrderState, PaidBy
from orders.views.offers import LINKS_A_MINUTE
from tests.factories import billing, catalog, identity, orders
from tests.factories.offers import (
    confirm,
    draft_offer,
    make_postpaid,
    one_time_product,
    order_by_offer,
    sent_offer,
)
from tests.factories.supervision import seller_of
from tests.personas import FormClient, Persona, make_operator

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")

pytestmark = pytest.mark.django_db


def text_of(html: str) -> str:
    """The text of a page without its markup, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\xa0", " ").split())


def hidden(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, f"no field {name}"
    return unescape(found[1])


def heading(html: str) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", html, re.DOTALL)
    assert found
    return text_of(found[1])


@pytest.fixture
def offer(rich: Persona) -> PrivateOffer:
    """10 % off USD 100.00 a year, for ten users, for 30 days."""
    product = catalog.saas_product(name="Nimbus Wiki")
    form = {"attr_users": "10", "term": "1-year", "plan": "PERIOD"}
    return sent_offer(rich.account, product, at=AT, form=form, name="Autumn offer for Riverbank")


def opened(client: Client, offer: PrivateOffer, *, at: datetime = AT) -> str:
    with clock.at(at):
        response = client.get(offer.get_link())
    assert response.status_code == 200, response.content.decode()[:1000]
    return str(response.content.decode())


def freeze(persona: Persona) -> None:
    with guard.opened("test"):
        persona.account.frozen_at, persona.account.frozen_by = AT, FrozenBy.OPERATIONS
        persona.account.save(update_fields=["frozen_at", "frozen_by"])


# The six answers


def test_a_usable_offer_opens_the_confirmation_page_with_everything_fixed(rich: Persona, offer: PrivateOffer) -> None:
    html = opened(rich.client, offer)
    assert heading(html) == "Confirm order"
    for part in ("Nimbus Wiki", "10 users", "1 year", "USD 1,000.00", "USD 900.00", "Autumn offer for Riverbank"):
        assert part in text_of(html)
    form = html[html.index('id="confirm-order"') : html.index("</form>", html.index('id="confirm-order"'))]
    assert set(re.findall(r'name="([^"]+)"', form)) == {
        "csrfmiddlewaretoken", "idempotency_key", "quote", "terms", "confirm_order",
    }  # fmt: skip


def test_the_link_leads_to_an_order_at_the_offer_s_price(rich: Persona, offer: PrivateOffer) -> None:
    html = opened(rich.client, offer)
    data = {"quote": hidden(html, "quote"), "idempotency_key": hidden(html, "idempotency_key"), "terms": "on"}
    with clock.at(AT + timedelta(minutes=1)):
        response = rich.client.post("/console/checkout/", data)
    order = Order.objects.get()
    assert response["Location"] == f"/console/orders/{order.number}/pay/"
    assert str(order.total) == "USD 900.00"
    assert order.line.discount_reference == offer.number
    with clock.at(AT + timedelta(minutes=2)):
        paying = text_of(rich.client.get(response["Location"]).content.decode())
    assert "Discount − USD 100.00 Total USD 900.00" in paying
    offer.refresh_from_db()
    assert offer.state == "reserved"


def test_what_is_added_to_the_link_changes_nothing(rich: Persona, offer: PrivateOffer) -> None:
    with clock.at(AT):
        html = rich.client.get(f"{offer.get_link()}?attr_users=1&term=3-year&items=9").content.decode()
    assert "10 users" in text_of(html) and "USD 900.00" in text_of(html)


def test_a_tampered_quote_is_refused(rich: Persona, offer: PrivateOffer) -> None:
    html = opened(rich.client, offer)
    quote = hidden(html, "quote")
    with clock.at(AT):
        for tampered in (f"{quote}A", quote[:-8] + "AAAAAAAA", quote.replace(".", ".A", 1)):
            response = rich.client.post("/console/checkout/", {"quote": tampered, "terms": "on"})
            assert response.status_code == 409 and "quote_invalid" in response.content.decode()
    assert not Order.objects.exists()


def test_a_withdrawn_offer_says_so(rich: Persona, offer: PrivateOffer) -> None:
    offering.withdraw(seller_of(offer.product).call(at=AT, key=pages.new_key()), offer=offer.number)
    html = opened(rich.client, offer)
    assert heading(html) == "This offer was withdrawn"
    assert "The seller has withdrawn the offer." in text_of(html)
    assert 'name="quote"' not in html


def test_an_early_offer_says_from_when(rich: Persona) -> None:
    early = sent_offer(rich.account, catalog.saas_product(), at=AT, valid_from="2026-03-20", valid_to="2026-03-25")
    html = opened(rich.client, early)
    assert "takes effect on Mar 20, 2026 00:00:00 GMT+08:00" in text_of(html)
    assert 'name="quote"' in opened(rich.client, early, at=datetime.fromisoformat("2026-03-20T00:00:00+08:00"))


def test_an_expired_offer_says_since_when_and_whom_to_ask(rich: Persona, offer: PrivateOffer) -> None:
    last = datetime.fromisoformat("2026-04-09T23:59:59.900000+08:00")
    assert 'name="quote"' in opened(rich.client, offer, at=last)
    html = opened(rich.client, offer, at=last + timedelta(seconds=1))
    assert "expired on Apr 09, 2026 23:59:59 GMT+08:00. Ask the seller for a new one." in text_of(html)
    assert f"mailto:{offer.seller.email}" in html


def test_a_reserved_and_a_used_offer_lead_to_the_order(rich: Persona, offer: PrivateOffer) -> None:
    order = order_by_offer(rich, offer, at=AT)
    html = opened(rich.client, offer)
    assert heading(html) == "An order holds this offer" and order.get_absolute_url() in html
    orders.pay(rich, order, at=AT)
    html = opened(rich.client, offer)
    assert heading(html) == "This offer was used" and order.get_absolute_url() in html


def test_another_account_reads_that_the_link_is_not_its_own_and_nothing_else(
    stranger: Persona, offer: PrivateOffer
) -> None:
    with clock.at(AT):
        response = stranger.client.get(offer.get_link())
    assert response.status_code == 404
    html = response.content.decode()
    assert heading(html) == "This link is for another account" and "Switch account" in html
    for secret in ("Autumn", "Nimbus", "900", "1,000", offer.number, offer.seller.name, "buyer", "saas"):
        assert secret not in html
    trace = Trace.objects.get(trace_name="queryPrivateOfferDetail")
    assert (trace.account_id, trace.trace_rating, trace.code) == (
        stranger.account.pk,
        "warning",
        "offer_of_other_account",
    )
    assert offer.number not in str(trace.request) and offer.token not in str(trace.request)
    assert PrivateOffer.objects.get().opened_at is None


def test_who_switches_the_account_comes_back_to_the_link(stranger: Persona, rich: Persona, offer: PrivateOffer) -> None:
    with clock.at(AT):
        html = stranger.client.get(offer.get_link()).content.decode()
        answer = stranger.client.post("/sign-out/", {"next": hidden(html, "next")})
        assert answer["Location"] == offer.get_link()
        answer = stranger.client.get(answer["Location"])
    assert answer["Location"] == f"/sign-in/?next={offer.get_link()}".replace("/offers/", "%2Foffers%2F")[:-1] + "%2F"


def test_an_operations_manager_is_of_no_account(offer: PrivateOffer) -> None:
    response = make_operator().client.get(offer.get_link())
    assert response.status_code == 404 and "Nimbus" not in response.content.decode()


def test_signing_out_leads_nowhere_else(rich: Persona) -> None:
    assert rich.client.post("/sign-out/", {"next": "https://elsewhere.example/"})["Location"] == "/"


def test_a_visitor_signs_in_first_and_an_unknown_token_is_a_plain_404(client: Client, offer: PrivateOffer) -> None:
    response = client.get(offer.get_link())
    assert response.status_code == 302 and response["Location"].startswith("/sign-in/?next=%2Foffers%2F")
    unknown = client.get("/offers/no-such-token/")
    assert unknown.status_code == 404
    assert heading(unknown.content.decode()) == "This page does not exist"


def test_a_draft_has_no_link_yet(rich: Persona, offer: PrivateOffer) -> None:
    draft = draft_offer(rich.account, offer.product, at=AT)
    assert rich.client.get(draft.get_link()).status_code == 404
    assert rich.client.get(draft.get_absolute_url()).status_code == 404


def test_every_answer_is_private_and_no_title_tells_anything(
    rich: Persona, stranger: Persona, offer: PrivateOffer
) -> None:
    for client in (rich.client, stranger.client, FormClient()):
        with clock.at(AT):
            response = client.get(offer.get_link())
        assert {"private", "no-store"} <= set(re.split(r",\s*", response["Cache-Control"]))
        title = re.search(r"<title>(.*?)</title>", response.content.decode(), re.DOTALL)
        assert "Autumn" not in (title[1] if title else "")


def test_the_first_opening_is_kept_and_every_one_is_traced(rich: Persona, offer: PrivateOffer) -> None:
    opened(rich.client, offer)
    opened(rich.client, offer, at=AT + timedelta(hours=1))
    offer.refresh_from_db()
    assert offer.opened_at == AT
    assert Trace.objects.filter(trace_name="queryPrivateOfferDetail", resource_id=offer.number).count() == 2
    assert Trace.objects.filter(trace_name="openPrivateOffer").count() == 1


def test_links_are_limited_by_the_minute(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def is_within(*, what: str, who: str, per_minute: int) -> bool:
        asked.append((what, per_minute))
        return False

    monkeypatch.setattr(rates, "is_within", is_within)
    response = client.get("/offers/any-token/")
    assert (response.status_code, response["Retry-After"]) == (429, "60")
    assert asked == [("offer-link", LINKS_A_MINUTE)]


def test_who_may_not_see_offers_opens_none(rich: Persona, offer: PrivateOffer) -> None:
    user = identity.UserFactory(account=rich.account, is_root=False)
    identity.deny(user, "marketplace:privateOffer:get", name="no-offers")
    blind = Persona(user, rich.role)
    with clock.at(AT):
        for address in (
            offer.get_link(),
            offer.get_absolute_url(),
            f"/console/checkout/?product={offer.product.code}&offer={offer.number}",
        ):
            response = blind.client.get(address)
            assert response.status_code == 403 and "USD" not in text_of(response.content.decode())


def test_an_offer_whose_product_left_the_catalogue_says_so(rich: Persona, offer: PrivateOffer) -> None:
    with guard.opened("test"):
        offer.product.state = "hidden"
        offer.product.save(update_fields=["state"])
    html = opened(rich.client, offer)
    assert "is no longer on sale" in text_of(html) and 'name="quote"' not in html


def test_a_lower_standing_discount_counts_and_the_page_says_so(rich: Persona, offer: PrivateOffer) -> None:
    catalog.standing_discount(rich.account, offer.product, share="0.80", valid_from=AT)
    html = opened(rich.client, offer)
    assert "Standing discount counts, since the offer gives no lower total." in text_of(html)
    assert "USD 800.00" in text_of(html)
    with clock.at(AT):
        rich.client.post("/console/checkout/", {"quote": hidden(html, "quote"), "terms": "on"})
    assert str(Order.objects.get().total) == "USD 800.00"
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == ("in_effect", 0)


def test_a_card_added_on_the_way_leads_back_to_the_link(buyer: Persona, terms: None) -> None:
    mine = sent_offer(buyer.account, catalog.saas_product(), at=AT)
    html = opened(buyer.client, mine)
    assert "No payment method yet" in html and hidden(html, "next") == mine.get_link()


# Milestones: confirmation, Pay, Confirm


@pytest.fixture
def deal(buyer: Persona) -> PrivateOffer:
    """USD 1,000.00 in three milestones for a postpaid buyer."""
    make_postpaid(buyer.account)
    return sent_offer(buyer.account, one_time_product(), at=AT, share="1", shares=["30", "30", "40"])


MILESTONES = (
    "1. Part 1", "What part 1 is", "when you confirm the order", "30 %", "USD 300.00",
    "2. Part 2", "when you accept milestone 1", "3. Part 3", "when you accept milestone 2", "40 %", "USD 400.00",
    "within 30 days",
)  # fmt: skip


def test_milestones_are_confirmed_twice_and_paid_by_monthly_settlement(buyer: Persona, deal: PrivateOffer) -> None:
    html = opened(buyer.client, deal)
    for part in (*MILESTONES, "Autumn offer", "Private offer"):
        assert part in text_of(html)
    with clock.at(AT):
        response = buyer.client.post("/console/checkout/", {"quote": hidden(html, "quote"), "terms": "on"})
        order = Order.objects.get()
        address = f"/console/orders/{order.number}/pay/"
        assert response["Location"] == address
        page = buyer.client.get(address).content.decode()
        for part in MILESTONES:
            assert part in text_of(page)
        assert re.search(r"<button[^>]*>Pay</button>", page)
        assert 'name="method"' not in page and "Monthly settlement" not in page
        response = buyer.client.post(address, {"pay": "1"})
        page = buyer.client.get(response["Location"]).content.decode()
        assert re.findall(r'name="method" value="([^"]+)"', page) == ["monthly"]
        assert "Monthly settlement" in page and re.search(r"<button[^>]*>Confirm</button>", page)
        order.refresh_from_db()
        assert order.state == OrderState.PENDING_PAYMENT and not MilestoneBill.objects.exists()
        data = {"method": "monthly", "confirmed": hidden(page, "confirmed")}
        response = buyer.client.post(address, {**data, "idempotency_key": hidden(page, "idempotency_key")})
        assert response["Location"] == f"/console/orders/{order.number}/result/"
        result = text_of(buyer.client.get(response["Location"]).content.decode())
        details = text_of(buyer.client.get(order.get_absolute_url()).content.decode())
    order.refresh_from_db()
    assert (order.state, order.paid_by) == (OrderState.PROCESSING, PaidBy.MONTHLY)
    bill = MilestoneBill.objects.get()
    for shown in (result, details):
        for part in (bill.number, "Apr 09, 2026 23:59:59", "Not billed yet", "Held", "Earned", "Settled"):
            assert part in shown
    assert "The first bill of USD 300.00 is generated" in result


def test_confirming_without_the_proof_is_refused_and_asks_for_the_milestones_again(
    buyer: Persona, stranger: Persona, deal: PrivateOffer
) -> None:
    order = order_by_offer(buyer, deal, at=AT)
    address = f"/console/orders/{order.number}/pay/"
    with clock.at(AT):
        for proof in ("", "anything", order.number):
            page = buyer.client.post(address, {"method": "monthly", "confirmed": proof}).content.decode()
            assert "Confirm the milestones once more before you pay." in text_of(page)
            assert re.search(r"<button[^>]*>Pay</button>", page) and 'name="method"' not in page
        assert stranger.client.post(address, {"pay": "1"}).status_code == 404
    order.refresh_from_db()
    assert order.state == OrderState.PENDING_PAYMENT and not MilestoneBill.objects.exists()


@pytest.mark.parametrize("method", ["balance", "credit", "reseller"])
def test_no_other_method_pays_milestones(buyer: Persona, deal: PrivateOffer, method: str) -> None:
    billing.fund(buyer.account, 10_000)
    order = order_by_offer(buyer, deal, at=AT)
    with clock.at(AT):
        page = buyer.client.post(f"/console/orders/{order.number}/pay/", {"method": method}).content.decode()
    assert "paid by monthly settlement, bill by bill" in text_of(page)
    order.refresh_from_db()
    assert order.state == OrderState.PENDING_PAYMENT


def test_unpaid_orders_lead_to_the_milestones(buyer: Persona, deal: PrivateOffer) -> None:
    order = order_by_offer(buyer, deal, at=AT)
    with clock.at(AT):
        page = buyer.client.get("/console/orders/unpaid/").content.decode()
        assert f'href="/console/orders/{order.number}/pay/"' in page
        assert "1. Part 1" in text_of(buyer.client.get(f"/console/orders/{order.number}/pay/").content.decode())
    with clock.at(AT + timedelta(hours=24)):
        page = buyer.client.get(f"/console/orders/{order.number}/pay/").content.decode()
        assert "can no longer be paid" in page and not re.search(r"<button[^>]*>Pay</button>", page)


def test_a_refusal_at_confirm_is_shown_and_bills_nothing(buyer: Persona, deal: PrivateOffer) -> None:
    order = order_by_offer(buyer, deal, at=AT)
    address = f"/console/orders/{order.number}/pay/"
    with clock.at(AT):
        page = buyer.client.get(buyer.client.post(address, {"pay": "1"})["Location"]).content.decode()
        freeze(buyer)
        data = {"method": "monthly", "confirmed": hidden(page, "confirmed")}
        page = buyer.client.post(address, data).content.decode()
    assert "frozen" in text_of(page) and not MilestoneBill.objects.exists()


def test_the_pay_page_of_a_confirmed_order_leads_to_its_result(buyer: Persona, deal: PrivateOffer) -> None:
    order = confirm(buyer, order_by_offer(buyer, deal, at=AT), at=AT)
    address = f"/console/orders/{order.number}/pay/"
    assert buyer.client.get(address)["Location"].endswith("/result/")
    assert buyer.client.post(address, {"method": "monthly"})["Location"].endswith("/result/")


def test_a_canceled_milestone_order_frees_the_offer_and_its_link(buyer: Persona, deal: PrivateOffer) -> None:
    order = order_by_offer(buyer, deal, at=AT)
    cancelling.cancel_order(buyer.call(at=AT, key=pages.new_key()), order=order.number)
    assert 'name="quote"' in opened(buyer.client, deal)


def test_the_overview_names_offers_that_end_soon(rich: Persona, offer: PrivateOffer) -> None:
    with clock.at(AT):
        assert "Autumn offer for Riverbank" not in rich.client.get("/console/").content.decode()
    with clock.at(AT + timedelta(days=1)):
        assert "Autumn offer for Riverbank" in rich.client.get("/console/").content.decode()
    with clock.at(AT + timedelta(days=31)):
        assert "Autumn offer for Riverbank" not in rich.client.get("/console/").content.decode()


# An unpaid order that lapsed gives its offer back at once, in every page


def test_every_page_gives_an_offer_back_when_its_unpaid_order_lapses(rich: Persona, offer: PrivateOffer) -> None:
    order = order_by_offer(rich, offer, at=AT)
    seller, product = seller_of(offer.product), offer.product
    pricing = f"{product.get_absolute_url()}?tab=pricing&offer={offer.number}&attr_users=10&term=1-year&plan=PERIOD"
    for at, is_free in ((AT + timedelta(hours=23, minutes=59), False), (AT + timedelta(hours=24), True)):
        label, other = ("In effect", "Reserved") if is_free else ("Reserved", "In effect")
        with clock.at(at):
            details = rich.client.get(offer.get_absolute_url()).content.decode()
            theirs = seller.client.get(offer.get_seller_url()).content.decode()
            link = rich.client.get(offer.get_link()).content.decode()
            pricing_tab = rich.client.get(pricing).content.decode()
            tabs = [
                persona.client.get(f"{address}?tab={tab}").content.decode()
                for persona, address in ((rich, "/console/offers/"), (seller, "/seller/offers/"))
                for tab in ("in_effect", "reserved")
            ]
        assert f">{label}</span>" in details and f">{other}</span>" not in details
        assert (order.get_absolute_url() in details) is not is_free
        assert all(f"{0 if is_free else 1} of 1 placed" in text_of(each) for each in (details, theirs))
        assert f">{label}</span>" in theirs and ("Order canceled" in theirs) is is_free
        assert ('name="quote"' in link) is is_free
        assert ("Your exclusive offer is linked" in pricing_tab) is is_free
        assert [offer.number in tab for tab in tabs] == [is_free, not is_free] * 2
        assert (order.number in tabs[0] + tabs[1]) is not is_free


def test_the_link_of_an_offer_that_ended_while_a_lapsed_order_held_it_says_expired(
    rich: Persona, offer: PrivateOffer
) -> None:
    last = datetime.fromisoformat("2026-04-09T20:00:00+08:00")
    order = order_by_offer(rich, offer, at=last)
    ended = last + timedelta(hours=24)
    for address in (offer.get_link(), offer.get_absolute_url()):
        with clock.at(ended):
            html = rich.client.get(address).content.decode()
        assert "The offer expired on Apr 09, 2026" in text_of(html) and 'name="quote"' not in html
        assert order.number not in html
    with clock.at(ended):
        assert offer.number in rich.client.get("/console/offers/?tab=expired").content.decode()


# Use Now is a look at the offer


def use_now(offer: PrivateOffer) -> tuple[str, str]:
    """The two pages of Use Now."""
    form = f"offer={offer.number}&attr_users=10&term=1-year&plan=PERIOD"
    return (
        f"{offer.product.get_absolute_url()}?tab=pricing&{form}",
        f"/console/checkout/?product={offer.product.code}&{form}",
    )


@pytest.mark.parametrize("page", [0, 1], ids=["pricing", "checkout"])
def test_use_now_is_traced_and_counts_as_opened(rich: Persona, offer: PrivateOffer, page: int) -> None:
    with clock.at(AT):
        assert "USD 900.00" in text_of(rich.client.get(use_now(offer)[page]).content.decode())
    offer.refresh_from_db()
    assert offer.opened_at == AT
    [trace] = Trace.objects.filter(trace_name="queryPrivateOfferDetail")
    assert (trace.resource_id, trace.account_id, trace.read_only) == (offer.number, rich.account.pk, True)


def test_a_price_that_follows_what_is_chosen_is_no_new_look(rich: Persona, offer: PrivateOffer) -> None:
    address = f"/products/{offer.product.slug}/price/?offer={offer.number}&attr_users=9"
    with clock.at(AT):
        html = rich.client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "the offer needs 10" in text_of(html)
    assert not Trace.objects.filter(trace_name="queryPrivateOfferDetail").exists()


def test_a_link_is_one_look(rich: Persona, offer: PrivateOffer) -> None:
    opened(rich.client, offer)
    assert Trace.objects.filter(trace_name="queryPrivateOfferDetail").count() == 1


def test_a_deny_for_the_product_hides_its_offers_in_use_now(rich: Persona, offer: PrivateOffer) -> None:
    other = sent_offer(rich.account, catalog.saas_product(), at=AT, form=dict(offer.form), name="Another deal")
    user = identity.UserFactory(account=rich.account, is_root=False)
    identity.deny(user, "marketplace:privateOffer:get", products=[offer.product.code], name="not-this-one")
    blind = Persona(user, rich.role)
    pricing, checkout = use_now(offer)
    with clock.at(AT):
        shown = blind.client.get(pricing).content.decode()
        live = blind.client.get(pricing.replace("?tab=pricing&", "price/?"), headers={"HX-Request": "true"})
        refused = blind.client.get(checkout)
        allowed = [blind.client.get(address).content.decode() for address in use_now(other)]
    for html in (shown, live.content.decode(), refused.content.decode()):
        assert "Autumn offer" not in html and "USD 900.00" not in text_of(html)
    assert refused.status_code == 403 and "not-this-one" in refused.content.decode()
    assert all("USD 900.00" in text_of(html) for html in allowed)
    offer.refresh_from_db()
    assert offer.opened_at is None


# The payment page of a canceled order says why


@pytest.mark.parametrize("with_milestones", [False, True])
def test_the_payment_page_says_why_it_is_too_late(rich: Persona, offer: PrivateOffer, with_milestones: bool) -> None:
    if with_milestones:
        make_postpaid(rich.account)
        offer = sent_offer(rich.account, one_time_product(), at=AT, share="1", shares=["50", "50"])
    canceled = order_by_offer(rich, offer, at=AT)
    cancelling.cancel_order(rich.call(at=AT, key=pages.new_key()), order=canceled.number)
    lapsed = order_by_offer(rich, offer, at=AT)
    late = AT + timedelta(hours=24)
    for order, why, other in (
        (canceled, "Canceled by the buyer", "Not paid in time"),
        (lapsed, "Not paid in time", "Canceled by the buyer"),
    ):
        with clock.at(late):
            text = text_of(rich.client.get(f"/console/orders/{order.number}/pay/").content.decode())
        assert "This order can no longer be paid" in text and why in text
        assert other not in text and "It was not paid in time" not in text
