"""Seller Offers as sellers meet them: the list, Create Offer in two steps, one offer with Send and Withdraw."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import Trace
from catalog.models import OfferMilestone, PrivateOffer, Product, Seller
from catalog.operations import offers
from catalog.operations.offer_reading import CUSTOMERS_A_MINUTE
from catalog.states import OfferState
from koogallery import clock
from koogallery.identity.models import Account
from koogallery.identity.states import SellerRole
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import Role, system_call
from koogallery.kernel.operations import may
from tests.factories import billing, catalog, identity
from tests.factories.offers import draft_offer, in_milestones, one_time_product, order_by_offer, sent_offer
from tests.factories.supervision import seller_of
from tests.personas import Persona, make_buyer, make_seller

pytestmark = pytest.mark.django_db

LIST, NEW = "/seller/offers/", "/seller/offers/new/"


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.S)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


def account_of(persona: Persona) -> Account:
    assert persona.account is not None
    return persona.account


def day(days: int = 0) -> str:
    return (clock.platform_date(clock.now()) + timedelta(days=days)).isoformat()


@pytest.fixture
def product() -> Product:
    return one_time_product(seller=catalog.make_seller(), name="DataHarbor")


@pytest.fixture
def buyer(db: None) -> Persona:
    """A customer who can pay."""
    persona = make_buyer(name="buyer")
    billing.fund(account_of(persona), 10_000)
    return persona


@pytest.fixture
def owner(product: Product) -> Persona:
    """The seller of the product."""
    return seller_of(product)


def form_of(customer: Persona, product: Product, *, shares: tuple[str, ...] = (), **fields: Any) -> dict[str, str]:
    form = {
        "name": "Autumn offer",
        "account": account_of(customer).number,
        "product": product.code,
        "share": "0.90",
        "fixed_price": "",
        "valid_from": day(),
        "valid_to": day(30),
        "uses": "1",
        "note": "Call us.",
        "involves_milestones": "yes" if shares else "no",
    }
    for index, share in enumerate(shares):
        form |= {
            f"milestone-{index}-name": f"Part {index + 1}",
            f"milestone-{index}-delivery": f"What part {index + 1} is",
            f"milestone-{index}-share": share,
        }
    return form | fields


def csv_of(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def write(owner: Persona, form: dict[str, str], do: str = "preview", url: str = NEW) -> Any:
    return owner.client.post(url, form | {"do": do})


def marked(page: Any) -> set[str]:
    """The fields at which a page of the form names a fault."""
    assert page.status_code == 422
    return set(re.findall(r'<li><a href="#(?:id_)?([\w-]+)">', page.content.decode()))


def add(product: Product, customer: Persona, count: int) -> None:
    pattern = draft_offer(account_of(customer), product)
    with guard.opened("test"):
        PrivateOffer.objects.bulk_create(
            PrivateOffer(
                **{
                    field.attname: getattr(pattern, field.attname)
                    for field in PrivateOffer._meta.concrete_fields
                    if field.attname not in ("id", "number", "token")
                },
                number=f"{pattern.number}{number:03d}",
                token=f"token-{pattern.pk}-{number}",
            )
            for number in range(count - 1)
        )


# The list


def test_sellers_reach_their_offers_by_the_group_sales(owner: Persona) -> None:
    content = owner.client.get(LIST).content.decode()
    assert re.search(r">Sales</\w+>.{0,200}Seller Offers", content, re.S)
    assert re.search(r'href="/seller/offers/"[^>]*aria-current="page"', content)
    assert "No offers yet" in content
    assert f'href="{NEW}"' in content


def test_the_tabs_count_by_the_state_at_the_moment_not_by_the_sweep(
    owner: Persona, buyer: Persona, product: Product
) -> None:
    customer = account_of(buyer)
    now, today = clock.now(), clock.platform_date(clock.now())
    made = {
        "draft": draft_offer(customer, product),
        "scheduled": sent_offer(customer, product, valid_from=today + timedelta(days=2)),
        "in_effect": sent_offer(customer, product),
        "reserved": sent_offer(customer, product),
        "expired": sent_offer(customer, product, at=now - timedelta(days=40)),
        "withdrawn": sent_offer(customer, product),
    }
    order_by_offer(buyer, made["reserved"])
    offers.withdraw(owner.call(key=pages.new_key()), offer=made["withdrawn"].number)
    late = sent_offer(customer, product, at=now - timedelta(days=3), valid_from=today - timedelta(days=1))
    assert (made["expired"].state, late.state) == (OfferState.IN_EFFECT, OfferState.SCHEDULED)
    assert "All 7 Draft 1 Scheduled 1 In effect 2 Reserved 1 Used 0 Expired 1 Withdrawn 1" in text_of(
        owner.client.get(LIST)
    )
    for tab, offer in made.items():
        content = owner.client.get(f"{LIST}?tab={tab}").content.decode()
        shown = set(re.findall(r">(PO\w+)</a>", content))
        assert shown == ({offer.number, late.number} if tab == "in_effect" else {offer.number}), tab
        assert f">{OfferState(tab).label}</span>" in content


def test_the_list_searches_filters_sorts_and_exports(owner: Persona, product: Product) -> None:
    one, two = make_buyer(name="Borealis Ltd"), make_buyer(name="Cirrus Ltd")
    other = one_time_product(seller=product.seller, name="InkRoute")
    first = sent_offer(account_of(one), product, name="Spring offer", shares=["50", "50"]).number
    second = sent_offer(account_of(two), other, name="=HYPERLINK()").number
    strange = draft_offer(account_of(one), one_time_product()).number
    wanted = {
        "": {first, second},
        f"q={second.lower()}": {second},
        "q=spring": {first},
        "q=borealis": {first},
        f"q={account_of(two).number}": {second},
        "q=inkroute": {second},
        "q=nothing": set(),
        f"product={product.code}": {first},
        "milestones=yes": {first},
        "milestones=no": {second},
        f"created_from={day()}&created_to={day()}": {first, second},
        f"created_from={day(1)}": set(),
        f"valid_to_to={day(29)}": set(),
    }
    for query, numbers in wanted.items():
        content = owner.client.get(f"{LIST}?{query}").content.decode()
        assert set(re.findall(r">(PO\w+)</a>", content)) == numbers, query
        assert ("No match" in content) == (not numbers), query
    ordered = {"customer": [first, second], "-customer": [second, first], "product": [first, second]}
    for sort, numbers_in_order in ordered.items():
        content = owner.client.get(f"{LIST}?sort={sort}").content.decode()
        assert re.findall(r">(PO\w+)</a>", content) == numbers_in_order
        assert f'aria-sort="{"descending" if sort.startswith("-") else "ascending"}"' in content
    exported = csv_of(owner.client.get(f"{LIST}?export=csv"))
    assert first in exported
    assert "USD 900.00" in exported
    assert "'=HYPERLINK()" in exported
    assert strange not in exported


def test_a_hundred_offers_need_no_more_queries_than_one(owner: Persona, buyer: Persona, product: Product) -> None:
    asked = []
    for count in (1, 99):
        add(product, buyer, count)
        owner.client.get(f"{LIST}?size=100")
        with CaptureQueriesContext(connection) as queries:
            page = owner.client.get(f"{LIST}?size=100")
        asked.append(len(queries))
    assert page.content.decode().count(">View Details<") == 100
    assert asked[0] == asked[1]


def test_a_row_offers_what_its_state_allows(owner: Persona, buyer: Persona, product: Product) -> None:
    customer = account_of(buyer)
    draft, sent = draft_offer(customer, product), sent_offer(customer, product, name="Sent")
    content = owner.client.get(LIST).content.decode()
    assert content.count(reverse("catalog:seller_offer_edit", args=[draft.number])) == 1
    assert reverse("catalog:seller_offer_edit", args=[sent.number]) not in content
    assert reverse("catalog:seller_offer_send", args=[sent.number]) not in content
    text = html.unescape(content)
    assert f"“Autumn offer” goes to {customer.number} by message, by one e-mail" in text
    assert "The draft “Autumn offer” for" in text
    assert f"{customer.name} can no longer use “Sent”" in text
    offers.withdraw(owner.call(key=pages.new_key()), offer=sent.number)
    assert reverse("catalog:seller_offer_withdraw", args=[sent.number]) not in owner.client.get(LIST).content.decode()


# Create Offer


def test_an_offer_is_written_previewed_saved_and_sent(owner: Persona, buyer: Persona, product: Product) -> None:
    form = form_of(buyer, product, shares=("33.33", "33.33", "33.34"))
    page = write(owner, form)
    shown = text_of(page)
    assert PrivateOffer.objects.count() == 0
    assert f"This is what {account_of(buyer).number} will see" in shown
    assert "Autumn offer" in shown
    assert "DataHarbor" in shown
    assert "List price USD 1,000.00 10 % off − USD 100.00 Total USD 900.00" in shown
    for amount in ("33.33 % USD 299.97", "33.34 % USD 300.06"):
        assert amount in shown
    assert "Call us." in shown
    hidden = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', page.content.decode()))
    del hidden["csrfmiddlewaretoken"]
    saved = owner.client.post(NEW, hidden | {"do": "save"})
    offer = PrivateOffer.objects.get()
    assert saved["Location"] == offer.get_seller_url()
    assert (offer.state, str(offer.total), offer.milestones, offer.note) == ("draft", "USD 900.00", 3, "Call us.")
    assert [str(part.money) for part in offer.parts.all()] == ["USD 299.97", "USD 299.97", "USD 300.06"]
    assert (
        Trace.objects.filter(trace_name="createPrivateOffer", account_id=account_of(owner).pk, code="200").count() == 1
    )
    again = owner.client.post(NEW, hidden | {"do": "save"})
    assert (again["Location"], PrivateOffer.objects.count()) == (saved["Location"], 1)


def test_send_in_the_preview_saves_and_sends_at_once(owner: Persona, buyer: Persona, product: Product) -> None:
    form = form_of(buyer, product) | {"idempotency_key": pages.new_key()}
    answers = [write(owner, form, "send") for _time in range(2)]
    offer = PrivateOffer.objects.get()
    assert [each["Location"] for each in answers] == [offer.get_seller_url()] * 2
    assert offer.state == "in_effect"
    assert f"The offer {offer.number} is sent to buyer." in text_of(owner.client.get(offer.get_seller_url()))


def test_what_cannot_be_sent_stays_a_draft(owner: Persona, buyer: Persona, product: Product) -> None:
    colleague: Any = identity.UserFactory(account=account_of(owner), is_root=False, seller_role=SellerRole.OWNER)
    identity.deny(colleague, "marketplace:privateOffer:sendPrivateOffer")
    page = write(Persona(colleague, Role.SELLER), form_of(buyer, product))
    assert re.search(r'aria-disabled="true"[^>]*>.{0,200}Send', page.content.decode(), re.S)
    answer = write(Persona(colleague, Role.SELLER), form_of(buyer, product), "send")
    offer = PrivateOffer.objects.get()
    assert offer.state == "draft"
    assert answer["Location"] == offer.get_seller_url()
    assert Trace.objects.filter(trace_name="sendPrivateOffer", trace_rating="warning").count() == 1


def test_the_configuration_is_chosen_like_on_the_product_page(owner: Persona, buyer: Persona, product: Product) -> None:
    saas = catalog.saas_product(seller=product.seller, options={"region": ["europe", "asia"]})
    shown = owner.client.get(f"{NEW}?product={saas.code}").content.decode()
    for name in ("attr_region", "attr_users", "term"):
        assert f'name="{name}"' in shown
    chosen = {"attr_region": "asia", "attr_users": "10", "term": "2-year", "plan": "PERIOD"}
    page = write(owner, form_of(buyer, saas) | chosen)
    assert "Asia · 10 users" in text_of(page)
    assert "2 years" in text_of(page)
    assert "List price USD 2,000.00" in text_of(page)
    page = write(owner, form_of(buyer, saas) | chosen | {"attr_users": "0"})
    assert "configuration" in marked(page)
    assert 'value="0"' in page.content.decode()


def test_another_product_shows_its_own_configuration_before_the_preview(
    owner: Persona, buyer: Persona, product: Product
) -> None:
    saas = catalog.saas_product(seller=product.seller)
    page = write(owner, form_of(buyer, saas, configured=product.code, specification="other"))
    assert marked(page) == {"product"}
    assert 'name="attr_users"' in page.content.decode()
    assert f'name="configured" value="{saas.code}"' in page.content.decode()


def test_prices_are_list_prices_in_the_currency_of_the_customer(owner: Persona, product: Product) -> None:
    plans = [catalog.plan(mode="ONE_TIME", unit_price="1000", currencies=["USD", "JPY"])]
    sold = one_time_product(seller=product.seller, plans=plans)
    japanese = make_buyer(currency="JPY")
    catalog.standing_discount(account_of(japanese), sold, "0.50")
    page = write(owner, form_of(japanese, sold))
    assert "List price JPY 1,000 10 % off − JPY 100 Total JPY 900" in text_of(page)
    fault = write(owner, form_of(japanese, sold, share="", fixed_price="900.5"))
    assert marked(fault) == {"fixed_price"}
    assert 'value="900.5"' in fault.content.decode()


FAULTS: dict[str, tuple[tuple[str, ...], dict[str, str], set[str]]] = {
    "no name": ((), {"name": " "}, {"name"}),
    "unknown customer": ((), {"account": "nobody"}, {"account"}),
    "no product": ((), {"product": ""}, {"product"}),
    "no price": ((), {"share": ""}, {"share"}),
    "two prices": ((), {"fixed_price": "1"}, {"share"}),
    "a share above one": ((), {"share": "1.01"}, {"share"}),
    "a share that is no number": ((), {"share": "cheap"}, {"share"}),
    "above the list price": ((), {"share": "", "fixed_price": "1000.01"}, {"fixed_price"}),
    "from yesterday": ((), {"valid_from": "2020-01-01"}, {"valid_from"}),
    "ends before it begins": ((), {"valid_to": "2020-01-01"}, {"valid_to"}),
    "no date": ((), {"valid_from": "soon", "valid_to": ""}, {"valid_from", "valid_to"}),
    "no use": ((), {"uses": "0"}, {"uses"}),
    "too many uses": ((), {"uses": "11"}, {"uses"}),
    "two orders with milestones": (("50", "50"), {"uses": "2"}, {"uses"}),
    "shares of 99": (("50", "49"), {}, {"milestones"}),
    "shares of 101": (("50", "51"), {}, {"milestones"}),
    "one milestone": (("100",), {}, {"milestones"}),
    "thirteen milestones": (("7",) * 12 + ("16",), {}, {"milestones"}),
    "a share of three decimals": (("33.333", "66.667"), {}, {"milestone-0-share"}),
    "a share of nothing": (("0", "100"), {}, {"milestone-0-share"}),
    "a share without a number": (("half", "50"), {}, {"milestone-0-share"}),
    "rows without words": (
        ("50", "50"),
        {"milestone-0-name": "", "milestone-1-delivery": " "},
        {"milestone-0-name", "milestone-1-delivery"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_at_its_field_and_what_was_typed_stays(
    owner: Persona, buyer: Persona, product: Product, fault: str
) -> None:
    shares, fields, wanted = FAULTS[fault]
    if "account" in fields:
        fields = fields | {"note": "Call us & wait."}
    form = form_of(buyer, product, shares=shares) | fields
    for step in ("preview", "save", "send"):
        page = write(owner, form, step)
        assert marked(page) == wanted, step
        content = html.unescape(page.content.decode())
        for name, value in form.items():
            if name not in ("product", "involves_milestones") and value.strip():
                assert value in content, name
    assert PrivateOffer.objects.count() == 0


def test_milestones_without_a_single_row_are_refused(owner: Persona, buyer: Persona, product: Product) -> None:
    assert marked(write(owner, form_of(buyer, product, involves_milestones="yes"))) == {"milestones"}


def test_a_refusal_in_the_preview_is_traced(owner: Persona, buyer: Persona, product: Product) -> None:
    write(owner, form_of(buyer, product, shares=("50", "49")))
    trace = Trace.objects.get(trace_name="createPrivateOffer")
    assert (trace.code, trace.trace_rating) == ("milestone_shares_sum", "warning")
    assert trace.account_id == account_of(owner).pk


def test_rows_are_added_and_removed_without_a_script(owner: Persona, buyer: Persona, product: Product) -> None:
    form = form_of(buyer, product, shares=("30", "30"))
    more = write(owner, form, "add").content.decode()
    assert [f'name="milestone-{index}-name"' in more for index in range(4)] == [True, True, True, False]
    assert 'value="Autumn offer"' in more
    form = form_of(buyer, product, shares=("10", "20", "70"))
    less = write(owner, form, "remove-1").content.decode()
    assert re.findall(r'name="milestone-\d-name" value="([^"]*)"', less) == ["Part 1", "Part 3"]
    assert "Remove milestone" not in less
    twelve = form_of(buyer, product, shares=("5",) * 12)
    assert "Add milestone" not in write(owner, twelve, "refresh").content.decode()
    strange = write(owner, form, "remove-99").content.decode()
    assert strange.count('<fieldset class="milestone">') == 3


def test_sum_and_amounts_follow_what_is_typed(owner: Persona, buyer: Persona, product: Product) -> None:
    headers = {"HX-Request": "true"}
    form = form_of(buyer, product, shares=("33.33", "33.33", "30"))
    parts = owner.client.post(f"{NEW}?part=figures", form, headers=headers).content.decode()
    assert "<html" not in parts
    assert "96.66 %" in parts
    assert "The shares must sum to 100 %." in parts
    assert re.findall(r'<output[^>]*hx-swap-oob="true"><span class="money">([^<]*)', parts) == [
        "USD 299.97",
        "USD 299.97",
        "USD 270.00",
    ]
    whole = form | {"milestone-2-share": "33.34"}
    parts = owner.client.post(f"{NEW}?part=figures", whole, headers=headers).content.decode()
    assert "The shares must sum" not in parts
    assert "USD 300.06" in parts
    row = owner.client.post(f"{NEW}?part=milestones", form | {"do": "add"}, headers=headers).content.decode()
    assert row.count('<fieldset class="milestone">') == 4
    assert 'id="figures"' in row
    broken = dict.fromkeys(form, "x")
    assert owner.client.post(f"{NEW}?part=figures", broken, headers=headers).status_code == 200
    assert PrivateOffer.objects.count() == 0


def test_the_customer_is_found_by_its_exact_name_and_nothing_is_told_of_its_credit(
    owner: Persona, product: Product
) -> None:
    customer = make_buyer(name="Borealis Ltd")
    form = form_of(customer, product, shares=("50", "50"), account="Borealis Ltd")
    shown = text_of(write(owner, form))
    assert "This is what Borealis Ltd will see" in shown
    assert "Only a postpaid customer with milestone credit can pay in milestones." in shown
    assert marked(write(owner, form | {"account": "Borealis"})) == {"account"}
    assert marked(write(owner, form | {"account": account_of(owner).number})) == {"account"}


def test_a_draft_is_changed_in_the_same_two_steps(owner: Persona, buyer: Persona, product: Product) -> None:
    draft = draft_offer(account_of(buyer), product, shares=["40", "60"])
    url = reverse("catalog:seller_offer_edit", args=[draft.number])
    content = owner.client.get(url).content.decode()
    for value in ("Autumn offer", account_of(buyer).number, "0.9", "40", "60", day(30)):
        assert f'value="{value}"' in content
    form = form_of(buyer, product, share="", fixed_price="500")
    assert "Total USD 500.00" in text_of(write(owner, form, url=url))
    assert write(owner, form, "save", url)["Location"] == draft.get_seller_url()
    draft.refresh_from_db()
    assert (str(draft.total), draft.milestones, draft.state) == ("USD 500.00", 0, "draft")
    assert OfferMilestone.objects.count() == 0
    write(owner, form | {"name": "Last words"}, "send", url)
    draft.refresh_from_db()
    assert (draft.name, draft.state) == ("Last words", "in_effect")


def test_what_was_sent_cannot_be_edited(owner: Persona, buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product)
    url = reverse("catalog:seller_offer_edit", args=[offer.number])
    form = form_of(buyer, product, share="0.10")
    for answer in (owner.client.get(url), write(owner, form, "preview", url), write(owner, form, "save", url)):
        assert (answer.status_code, answer["Location"]) == (302, offer.get_seller_url())
    offer.refresh_from_db()
    assert offer.amount == 900
    assert "only drafts can be changed" in text_of(owner.client.get(offer.get_seller_url()))


# One offer


def test_a_draft_shows_no_link(owner: Persona, buyer: Persona, product: Product) -> None:
    draft = draft_offer(account_of(buyer), product)
    content = owner.client.get(draft.get_seller_url()).content.decode()
    assert draft.token not in content
    assert "Edit draft" in content
    assert "Only you see this draft." in content


def test_the_details_show_terms_link_code_times_and_orders(owner: Persona, buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product, note="Call us.")
    order = order_by_offer(buyer, offer)
    page = owner.client.get(offer.get_seller_url())
    content, shown = page.content.decode(), text_of(page)
    assert f'data-copy="http://testserver{offer.get_link()}"' in content
    assert 'src="data:image/svg+xml;base64,' in content
    assert 'alt="QR code of the link"' in content
    assert f'href="{reverse("orders:seller_detail", args=[order.number])}"' in content
    for text in (
        "Reserved",
        "Call us.",
        "USD 900.00",
        "1 of 1 placed",
        "Opened Not yet",
        "Order placed, unpaid",
        "Sent",
    ):
        assert text in shown
    assert "Withdraw" in shown
    assert "Edit draft" not in shown
    assert Trace.objects.filter(trace_name="querySellerOfferDetail", account_id=account_of(owner).pk).exists()


def test_the_details_say_when_the_customer_is_billed(owner: Persona, buyer: Persona, product: Product) -> None:
    shown = text_of(owner.client.get(sent_offer(account_of(buyer), product, shares=["50", "50"]).get_seller_url()))
    assert "when the customer confirms the order" in shown
    assert "when the customer accepts milestone 1" in shown
    assert "when you" not in shown


def test_send_and_withdraw_ask_first_and_say_what_happens(owner: Persona, buyer: Persona, product: Product) -> None:
    draft = draft_offer(account_of(buyer), product)
    for name in ("send", "withdraw"):
        url = reverse(f"catalog:seller_offer_{name}", args=[draft.number])
        assert owner.client.get(url)["Location"] == f"{draft.get_seller_url()}?confirm={name}"
        content = owner.client.get(f"{draft.get_seller_url()}?confirm={name}").content.decode()
        assert re.search(rf'<dialog [^>]*id="{name}"[^>]* open', content)
        assert "Autumn offer" in content
    owner.client.post(reverse("catalog:seller_offer_send", args=[draft.number]))
    draft.refresh_from_db()
    assert draft.state == "in_effect"
    again = owner.client.post(reverse("catalog:seller_offer_send", args=[draft.number]), follow=True)
    assert "only drafts can be changed" in text_of(again)
    gone = owner.client.post(reverse("catalog:seller_offer_withdraw", args=[draft.number]), follow=True)
    assert f"The offer {draft.number} is withdrawn." in text_of(gone)
    again = owner.client.post(reverse("catalog:seller_offer_withdraw", args=[draft.number]), follow=True)
    assert "The offer is Withdrawn; it cannot be withdrawn." in text_of(again)


def test_offers_of_other_sellers_are_not_there(buyer: Persona, product: Product) -> None:
    rival = make_seller()
    draft = draft_offer(account_of(buyer), product)
    assert draft.number not in rival.client.get(LIST).content.decode()
    for name in ("", "_edit", "_send", "_withdraw"):
        url = reverse(f"catalog:seller_offer{name}", args=[draft.number])
        for answer in (rival.client.get(url), rival.client.post(url, {"do": "save"}), buyer.client.get(url)):
            assert answer.status_code == 404
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_a_product_of_another_seller_cannot_be_offered(buyer: Persona, product: Product) -> None:
    rival = make_seller()
    own = one_time_product(seller=Seller.objects.get(account=account_of(rival)))
    assert product.label not in rival.client.get(NEW).content.decode()
    assert marked(write(rival, form_of(buyer, product))) == {"product"}
    assert own.code in rival.client.get(NEW).content.decode()


def test_a_seller_without_products_is_told_so() -> None:
    assert "No product on sale" in make_seller().client.get(NEW).content.decode()


def test_a_denied_colleague_is_told_why_and_changes_nothing(owner: Persona, buyer: Persona, product: Product) -> None:
    draft = draft_offer(account_of(buyer), product)
    user: Any = identity.UserFactory(account=account_of(owner), is_root=False, seller_role=SellerRole.OWNER)
    identity.deny(user, "marketplace:privateOffer:*", name="no-offers")
    denied = Persona(user, Role.SELLER)
    assert may(denied.call(), "createPrivateOffer") is not None
    assert denied.client.get(LIST).status_code == 403
    with_reads: Any = identity.UserFactory(account=account_of(owner), is_root=False, seller_role=SellerRole.READ_ONLY)
    reader = Persona(with_reads, Role.SELLER)
    page = reader.client.get(LIST).content.decode()
    assert page.count('aria-disabled="true"') >= 4
    assert "offer-form" not in reader.client.get(NEW).content.decode()
    assert "offer-form" not in write(reader, form_of(buyer, product)).content.decode()
    for name in ("send", "withdraw"):
        reader.client.post(reverse(f"catalog:seller_offer_{name}", args=[draft.number]))
    write(reader, form_of(buyer, product), "save")
    draft.refresh_from_db()
    assert (draft.state, PrivateOffer.objects.count()) == ("draft", 1)
    refused = Trace.objects.filter(trace_rating="warning", user_id=with_reads.pk)
    assert sorted(set(refused.values_list("trace_name", flat=True))) == [
        "createPrivateOffer",
        "sendPrivateOffer",
        "withdrawPrivateOffer",
    ]


# Around


def test_the_overview_tells_how_offers_do_and_what_to_deliver(owner: Persona, buyer: Persona, product: Product) -> None:
    ordered = sent_offer(account_of(buyer), product)
    sent_offer(account_of(buyer), product)
    sent_offer(account_of(buyer), product, at=clock.now() - timedelta(days=31))
    draft_offer(account_of(buyer), product)
    order_by_offer(buyer, ordered)
    offers.note_opened(system_call(), offer=ordered.number)
    assert "Sent 2 Opened 1 Ordered 1" in text_of(owner.client.get("/seller/"))


def test_the_overview_names_the_milestones_that_are_to_be_delivered() -> None:
    deal = in_milestones(shares=["30", "30", "40"], at=clock.now())
    deal.submit()
    deal.accept_request()
    shown = text_of(deal.seller.client.get("/seller/"))
    assert "Milestones to deliver" in shown
    assert "Milestone 1 of 3" in shown
    assert deal.order.number in shown
    deal.deliver()
    assert "Milestones to deliver" not in text_of(deal.seller.client.get("/seller/"))


def test_operations_look_at_offers_and_change_nothing(operator: Persona, buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product, shares=["50", "50"])
    listed = operator.client.get("/admin/catalog/privateoffer/?q=autumn&with_milestones=yes").content.decode()
    assert offer.number in listed
    assert "In effect" in listed
    one = operator.client.get(f"/admin/catalog/privateoffer/{offer.pk}/change/").content.decode()
    assert "What part 2 is" in one
    assert offer.token not in one
    assert 'name="_save"' not in one
    assert (
        operator.client.get("/admin/catalog/privateoffer/?with_milestones=no").content.decode().count(offer.number) == 0
    )


# Naming the customer tells the seller nothing that it did not know


def looked_up(owner: Persona) -> list[Trace]:
    return list(Trace.objects.filter(trace_name="queryOfferCustomer", account_id=account_of(owner).pk).order_by("id"))


@pytest.mark.parametrize("by", ["name", "number"])
def test_until_it_is_sent_an_offer_shows_its_customer_as_typed(owner: Persona, product: Product, by: str) -> None:
    customer = account_of(make_buyer(name="Borealis Ltd"))
    typed, other = (customer.name, customer.number) if by == "name" else (customer.number, customer.name)
    form = form_of(make_buyer(name="somebody"), product, account=typed)
    preview = write(owner, form)
    assert f"This is what {typed} will see" in text_of(preview) and other not in preview.content.decode()
    for part in ("configuration", "figures", "milestones"):
        assert (
            other not in owner.client.post(f"{NEW}?part={part}", form, headers={"HX-Request": "true"}).content.decode()
        )
    write(owner, form, "save")
    draft = PrivateOffer.objects.get()
    for address in (draft.get_seller_url(), f"{draft.get_seller_url()}edit/", LIST, f"{LIST}?q={typed}"):
        page = owner.client.get(address)
        assert typed in page.content.decode() and other not in page.content.decode(), address
    assert draft.number not in owner.client.get(f"{LIST}?q={other}").content.decode()
    owner.client.post(reverse("catalog:seller_offer_withdraw", args=[draft.number]))
    assert other not in owner.client.get(draft.get_seller_url()).content.decode()


def test_a_sent_offer_shows_its_customer_by_name_and_number(owner: Persona, product: Product) -> None:
    customer = account_of(make_buyer(name="Borealis Ltd"))
    write(owner, form_of(make_buyer(name="somebody"), product, account=customer.number), "send")
    page = owner.client.get(PrivateOffer.objects.get().get_seller_url()).content.decode()
    assert customer.name in page and customer.number in page


def test_every_customer_that_a_seller_names_is_traced_once(owner: Persona, product: Product) -> None:
    customer = make_buyer(name="Borealis Ltd")
    for typed in ("Borealis Ltd", "Borealis Ltd", "Nobody Ltd"):
        write(owner, form_of(customer, product, account=typed))
        owner.client.post(
            f"{NEW}?part=figures", form_of(customer, product, account=typed), headers={"HX-Request": "true"}
        )
    assert [(each.request["written"], each.response["found"]) for each in looked_up(owner)] == [
        ("Borealis Ltd", True),
        ("Nobody Ltd", False),
    ]
    assert not Trace.objects.filter(trace_name="queryOfferCustomer", account_id=account_of(customer).pk).exists()


def test_customers_cannot_be_looked_up_without_limit(
    owner: Persona, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = clock.real_now()
    monkeypatch.setattr(clock, "real_now", lambda: moment)
    known = make_buyer(name="Borealis Ltd")
    form = form_of(known, product, shares=("50", "50"))
    for number in range(CUSTOMERS_A_MINUTE):
        owner.client.post(
            f"{NEW}?part=configuration", form | {"account": f"Guess {number}"}, headers={"HX-Request": "true"}
        )
    for do in ("preview", "save", "send"):
        page = write(owner, form, do)
        assert marked(page) == {"account"} and "Too many requests" in page.content.decode()
    part = owner.client.post(f"{NEW}?part=configuration", form, headers={"HX-Request": "true"}).content.decode()
    assert "until the customer is known" in part
    assert not PrivateOffer.objects.exists()
    assert [each.code for each in looked_up(owner) if each.trace_rating == "warning"] == ["requests_too_many"] * 4
    monkeypatch.setattr(clock, "real_now", lambda: moment + timedelta(minutes=2))
    assert write(owner, form).status_code == 200
