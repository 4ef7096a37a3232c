"""Between a due time and the sweep: what pages say and operations refuse is what has come true (R19)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from koogallery import clock
from koogallery.kernel import guard, navigation, pages
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from orders.models import AutoRenewal, Resource
from orders.operations import auto_renewing, expiration, renewing, resources
from orders.operations.resources import DELETED_AT_RELEASE
from orders.queries import renewing as queries
from orders.queries.overview import at_risk, renewals_of_seller
from orders.queries.renewals import renewals_soon_given, waiting_changes
from orders.queries.resources import own_resource
from orders.states import ExpirationPolicy
from orders.views.auto_renewals import CURES
from tests.factories import catalog, identity
from tests.factories.subscriptions import Owned, funds_of, moment, period_product, subscribed
from tests.personas import Persona

pytestmark = pytest.mark.django_db


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        work()
    return refused.value.code


def by(owned: Owned, persona: Persona | None = None) -> Any:
    return (persona or owned.buyer).call(at=owned.now, key=pages.new_key())


def change(resource: Resource, **columns: object) -> None:
    with guard.opened("test"):
        Resource.objects.filter(pk=resource.pk).update(**columns)
    resource.refresh_from_db()


def show(owned: Owned, address: str) -> str:
    with clock.at(owned.now):
        answer = owned.buyer.client.get(address)
    assert answer.status_code == 200, address
    return str(answer.content.decode())


@pytest.fixture
def gone() -> Owned:
    """A resource in retention whose release was a second ago; no sweep has seen it."""
    owned = subscribed(term="1-month", at="2026-01-10").at("2026-02-27")
    secrets = dict.fromkeys(DELETED_AT_RELEASE, "kept")
    change(owned.resource, license_key=secrets["license_key"], password=secrets["password"])
    owned.now = moment("2026-03-13T00:00:01+08:00")
    return owned


def test_of_a_released_resource_nothing_can_be_done_or_revealed(gone: Owned) -> None:
    number = gone.resource.number
    change(gone.resource, expiration_policy=ExpirationPolicy.AUTO)
    assert refusal(lambda: resources.close_resource(by(gone), resource=number)) == "resource_not_in_use"
    assert refusal(lambda: resources.reveal_password(by(gone), resource=number)) == "secret_missing"
    assert refusal(lambda: resources.reveal_license_key(by(gone), resource=number)) == "license_key_missing"
    assert refusal(lambda: resources.set_tags(by(gone), resource=number, tags={})) == "resource_closed"
    chosen = lambda: expiration.set_expiration_policy(by(gone), resource=number, policy="none")  # noqa: E731
    assert refusal(chosen) == "resource_has_no_term"
    assert refusal(lambda: auto_renewing.disable(by(gone), resource=number)) == "autorenew_off"
    gone.resource.refresh_from_db()
    assert gone.resource.password == "kept"


def test_a_released_resource_is_shown_as_closed(gone: Owned) -> None:
    name, page = gone.resource.product.name, gone.resource.get_absolute_url()
    assert name not in show(gone, "/console/apps/") and name not in show(gone, "/console/apps/?tab=expiring")
    assert "Closed" in show(gone, "/console/apps/?tab=closed") and name in show(gone, "/console/apps/?tab=closed")
    text = show(gone, page)
    assert "Retention period" not in text and "password/" not in text
    for address in ("disable/", "expiration/", "tags/"):
        assert "Retention period" not in show(gone, page + address), address


def test_a_resource_in_unswept_grace_is_shown_in_grace_with_the_days_it_has_left() -> None:
    owned = subscribed(term="1-month", at="2026-01-10").at("2026-02-10")
    owned.now = moment("2026-02-11T00:00:01+08:00")
    for address in ("/console/apps/", owned.resource.get_absolute_url()):
        text = show(owned, address)
        assert "Grace period" in text and "14 days of grace left" in text, address


def test_renewals_are_filtered_by_the_clock() -> None:
    owned = subscribed(term="1-month", at="2026-01-10").at("2026-02-10T23:59:59+08:00")
    page, address = f"/console/renewals/{owned.resource.number}/", "/console/renewals/"
    assert page in show(owned, f"{address}?expires_in=7") and page not in show(owned, f"{address}?expires_in=expired")
    owned.now = moment("2026-02-11T00:00:00+08:00")
    assert page in show(owned, f"{address}?expires_in=expired") and page not in show(owned, f"{address}?expires_in=7")


def test_a_released_resource_is_no_longer_listed_for_renewal(gone: Owned) -> None:
    page = f"/console/renewals/{gone.resource.number}/"
    assert page not in show(gone, "/console/renewals/")
    count = navigation.PreparedCounts(lambda: {"soon": renewals_soon_given()}, limit=10)
    assert count.all(account=gone.buyer.account.pk, at=gone.now) == {"soon": 0}  # type: ignore[union-attr]
    gone.now = moment("2026-03-12T23:59:59+08:00")
    assert page in show(gone, "/console/renewals/?expires_in=expired")
    assert count.all(account=gone.buyer.account.pk, at=gone.now) == {"soon": 1}  # type: ignore[union-attr]


def test_a_seller_sees_at_risk_what_is_in_grace_by_the_clock() -> None:
    owned = subscribed(term="1-month", at="2026-01-10").at("2026-02-10")
    seller_id = owned.resource.seller_id
    assert not at_risk(seller_id, at=owned.now)
    due = moment("2026-02-11T00:00:00+08:00")
    assert list(at_risk(seller_id, at=due)) == [owned.resource]
    assert renewals_of_seller(seller_id, at=due).at_risk == 1
    owned.at("2026-02-27")
    assert list(at_risk(seller_id, at=moment("2026-03-12T23:59:59+08:00"))) == [owned.resource]
    assert not at_risk(seller_id, at=moment("2026-03-13T00:00:00+08:00"))


def test_what_goes_on_by_use_or_renewed_expires_no_more(turning: Owned) -> None:
    turning.at("2026-02-10")
    assert turning.resource.number in show(turning, "/console/apps/?tab=expiring")
    turning.now = moment("2026-02-11T00:00:01+08:00")
    for address in ("/console/apps/?tab=expiring", "/console/renewals/?expires_in=7"):
        assert turning.resource.number not in show(turning, address), address


def test_disabling_deletes_what_was_kept_to_reach_a_resource() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    change(owned.resource, **dict.fromkeys(DELETED_AT_RELEASE, "https://kept.example"))
    resources.close_resource(by(owned), resource=owned.resource.number)
    owned.resource.refresh_from_db()
    assert {getattr(owned.resource, name) for name in DELETED_AT_RELEASE} == {""}


# Pay-per-use after the expiration


@pytest.fixture
def turning() -> Owned:
    """A resource that goes on by use, a second after its term, before the sweep."""
    product = period_product(
        plans=[
            catalog.plan(term_unit="month", unit_price="10.00", lengths=[1]),
            catalog.plan(mode="ON_DEMAND", unit_price="0.10", usage_unit="hour"),
        ]
    )
    owned = subscribed(term="1-month", at="2026-01-10", product=product)
    expiration.set_expiration_policy(by(owned), resource=owned.resource.number, policy="pay_per_use")
    return owned


def test_what_goes_on_by_use_is_neither_renewed_nor_automated_after_its_term(turning: Owned) -> None:
    turning.at("2026-02-10")
    unpaid = turning.place("1-month")
    turning.now = moment("2026-02-11T00:00:01+08:00")
    turning.resource.refresh_from_db()
    assert refusal(lambda: turning.quote("1-month")) == "renewal_no_term"
    assert refusal(turning.automate) == "renewal_no_term"
    policy = lambda: expiration.set_expiration_policy(by(turning), resource=turning.resource.number, policy="none")  # noqa: E731
    assert refusal(policy) == "resource_has_no_term"
    assert refusal(lambda: turning._pay(unpaid, "balance")) in ("renewal_no_term", "order_outlived")
    text = show(turning, turning.resource.get_absolute_url())
    assert "Grace period" not in text.split("<main", 1)[1].split("Enabled", 1)[0]
    turning.at("2026-02-11T00:01:00+08:00")
    assert (turning.resource.billing_mode, turning.resource.expires_at) == ("ON_DEMAND", None)


# A change upon renewal


def test_an_effective_change_upon_renewal_no_longer_waits_on_any_page() -> None:
    product = period_product(
        quantity=("1", "9", "1"),
        plans=[catalog.plan(term_unit="month", model="linear", unit_price="10.00", lengths=[1])],
    )
    owned = subscribed(term="1-month", at="2026-01-10", product=product, quantity="2").at("2026-01-20")
    owned.renew("1-month", quantity="1")
    addresses = ("/console/apps/", "/console/renewals/", owned.resource.get_absolute_url())
    owned.now = moment("2026-02-10T23:59:59+08:00")
    for address in addresses:
        assert "is renewed and changed soon" in show(owned, address), address
    owned.now = moment("2026-02-11T00:00:00+08:00")
    for address in addresses:
        text = show(owned, address)
        assert "is renewed and changed soon" not in text and "Cancel the renewal" not in text, address
    assert waiting_changes(owned.buyer.account.pk, at=owned.now) == []  # type: ignore[union-attr]
    assert queries.waiting_change(own_resource(owned.buyer.call(at=owned.now), owned.resource.number)) is None
    call = by(owned)
    assert refusal(lambda: renewing.cancel_renewal(call, resource=owned.resource.number)) == "renewal_not_waiting"


# Rights


@pytest.mark.parametrize(("operation", "first"), [("enableAutoRenewal", "manual"), ("disableAutoRenewal", "auto")])
def test_who_may_not_switch_auto_renewal_does_not_by_the_expiration_policy(
    colleague: Persona, buyer: Persona, operation: str, first: str
) -> None:
    owned = subscribed(term="1-month", at="2026-01-10", buyer=buyer)
    if first == "auto":
        owned.automate()
    identity.allow(colleague.user, "marketplace:resource:setResourceStrategy")
    policy = "none" if first == "auto" else "auto"
    number = owned.resource.number
    with pytest.raises(Refused):
        expiration.set_expiration_policy(by(owned, colleague), resource=number, policy=policy)
    owned.resource.refresh_from_db()
    assert owned.resource.expiration_policy == first
    assert AutoRenewal.objects.filter(resource=owned.resource, enabled=True).exists() is (first == "auto")
    identity.allow(colleague.user, f"marketplace:resource:{operation}")
    expiration.set_expiration_policy(by(owned, colleague), resource=number, policy=policy)


# A product that is off sale for a while


@pytest.mark.parametrize(
    ("state", "refused"), [("hidden", None), ("suspended", None), ("removed", "renewal_withdrawn")]
)
def test_only_what_left_the_catalogue_cannot_be_renewed(state: str, refused: str | None) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    with guard.opened("test"):
        owned.resource.product.state = state
        owned.resource.product.save(update_fields=["state"])
    if refused:
        assert refusal(lambda: owned.renew("1-month")) == refusal(owned.automate) == refused
    else:
        owned.automate()
        owned.renew("1-month")
        assert owned.expires == "2026-03-10"


# Counts and cures


@pytest.mark.parametrize(("now", "counted"), [("2026-01-11T00:00:00+08:00", 1), ("2026-01-10T23:59:59+08:00", 0)])
def test_the_navigation_counts_the_days_that_the_tab_of_the_expiring_counts(now: str, counted: int) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.now = moment(now)
    count = navigation.PreparedCounts(lambda: {"soon": renewals_soon_given()}, limit=10)
    assert count.all(account=owned.buyer.account.pk, at=owned.now) == {"soon": counted}  # type: ignore[union-attr]
    assert (owned.resource.product.name in show(owned, "/console/apps/?tab=expiring")) is bool(counted)


def test_every_reason_for_which_an_attempt_may_fail_has_a_cure() -> None:
    import ast
    import inspect

    from koogallery.kernel.reasons import REASONS
    from orders.operations import deciding_renewals

    texts = (inspect.getsource(deciding_renewals), inspect.getsource(auto_renewing._fail.__globals__["on_canceled"]))
    named = {
        node.value
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in REASONS
    }
    named |= {"autorenew_frozen_by_reseller", "account_frozen", "card_unknown", "card_declined"}
    assert len(named) > 12
    assert named <= CURES.keys(), named - CURES.keys()


# What is promised


def test_a_number_of_renewals_that_was_used_up_is_not_without_limit_when_it_is_switched_on_again() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate(times=2)
    owned.at("2026-03-20")
    auto = AutoRenewal.objects.get(resource=owned.resource)
    assert (auto.enabled, auto.left) == (False, 0)
    expiration.set_expiration_policy(by(owned), resource=owned.resource.number, policy="auto")
    auto.refresh_from_db()
    assert (auto.enabled, auto.left, auto.times) == (True, 2, 2)


def test_neither_mail_nor_page_promises_a_renewal_that_is_known_to_fail() -> None:
    owned = subscribed(term="2-month", at="2026-01-10", funds=25)
    owned.automate(days_before=0)
    page = owned.resource.get_absolute_url()
    assert "renews itself before it expires" in show(owned, page)
    owned.at("2026-02-08T12:00:00+08:00")
    told = Message.objects.filter(account_id=owned.resource.account_id)
    assert told.filter(kind="resource_expiring").exists() and not told.filter(kind="resource_renewing").exists()
    assert "renews itself before it expires" not in show(owned, page)
    funds_of(owned.buyer, 100)
    owned.at("2026-02-23T12:00:00+08:00")
    assert told.filter(kind="resource_renewing").exists()
    assert "renews itself before it expires" in show(owned, page)
