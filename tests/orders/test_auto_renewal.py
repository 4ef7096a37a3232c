"""Auto-renewal: chosen, tried at its hour, charged once by the chosen method, warned of before it fails."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from billing.models import Charge, CreditStatement, Payment, Posting
from billing.operations.checking import check_ledger
from billing.queries import balance, order_money
from billing.states import LedgerKind, PostingKind
from catalog.models import Product
from koogallery import clock
from koogallery.identity.states import AccountKind, FrozenBy
from koogallery.kernel import display, guard, pages, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.models import PolicyChoice, SweepFailure
from koogallery.kernel.reasons import Refused
from koogallery.notifications import rendering
from koogallery.notifications.models import Message
from orders.models import AutoRenewal, Order, ResourceTerm
from orders.operations import auto_renewing, deciding_renewals, resources
from orders.rules import life as rules
from orders.states import CancelReason, ExpirationPolicy, OrderState, ResourceStatus
from tests.factories import billing, catalog
from tests.factories.subscriptions import Owned, funds_of, moment, period_product, subscribed
from tests.personas import Persona, make_buyer

pytestmark = pytest.mark.django_db


def renewals(owned: Owned, state: str = OrderState.COMPLETED) -> list[Order]:
    """The renewals of a resource, oldest first."""
    return list(Order.objects.filter(type="RENEW", lines__resource=owned.resource, state=state).order_by("placed_at"))


def told(owned: Owned, *kinds: str) -> list[Message]:
    """What the buyer was told, oldest first."""
    rows = Message.objects.filter(account_id=owned.resource.account_id, kind__in=kinds)
    return list(rows.order_by("created_at", "pk"))


def words(message: Message) -> str:
    return rendering.body(message.kind, message.params)


def auto_of(owned: Owned) -> AutoRenewal:
    return AutoRenewal.objects.get(resource=owned.resource)


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        work()
    return refused.value.code


def tick(owned: Owned, text: str) -> None:
    """Nothing ran until now; one tick does what is left to do."""
    for _round in range(20):
        if not sweeps.tick(moment(text)):
            break
    owned.now = moment(text)
    owned.resource.refresh_from_db()


# When


@pytest.mark.parametrize(("days_before", "day"), [(7, "2026-02-03"), (3, "2026-02-07"), (0, "2026-02-10")])
def test_the_first_attempt_is_at_three_on_the_deduction_day(days_before: int, day: str) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate(days_before=days_before)
    assert owned.at(f"{day}T02:59:59+08:00").expires == "2026-02-10"
    owned.at(f"{day}T03:00:00+08:00")
    assert owned.expires == "2026-03-10"
    assert renewals(owned)[0].paid_at == moment(f"{day}T03:00:00+08:00")


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2026-02-03T02:59:59+08:00", "2026-02-03T03:00:00+08:00"),
        ("2026-02-03T03:00:00+08:00", "2026-02-03T03:00:00+08:00"),
        ("2026-02-03T03:00:01+08:00", "2026-02-04T03:00:00+08:00"),
        ("2026-02-10T02:59:59+08:00", "2026-02-10T03:00:00+08:00"),
        ("2026-02-10T03:00:01+08:00", "2026-02-10T03:00:01+08:00"),
        ("2026-02-12T12:00:00+08:00", "2026-02-12T12:00:00+08:00"),
    ],
)
def test_enabled_late_it_is_tried_at_the_next_hour_or_at_once(now: str, first: str) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.at(now)
    assert owned.automate().next_attempt_at == moment(first)
    owned.at(first)
    assert (owned.expires, owned.resource.status) == ("2026-03-10", ResourceStatus.ENABLED)


def test_a_failed_attempt_is_repeated_daily_until_the_expiry() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", funds=10)
    owned.automate()
    owned.at("2026-02-20")
    failures = told(owned, "auto_renewal_failed", "auto_renewal_ended")
    assert [message.created_at for message in failures] == [
        moment(f"2026-02-{day:02}T03:00:00+08:00") for day in range(3, 11)
    ]
    assert [message.kind for message in failures] == ["auto_renewal_failed"] * 7 + ["auto_renewal_ended"]
    assert auto_of(owned).next_attempt_at is None
    assert owned.resource.status == ResourceStatus.GRACE


def test_it_goes_on_as_soon_as_there_is_money() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", funds=10)
    owned.automate()
    owned.at("2026-02-05")
    funds_of(owned.buyer, 10)
    owned.at("2026-02-06T03:00:00+08:00")
    assert (owned.expires, len(renewals(owned))) == ("2026-03-10", 1)
    auto = auto_of(owned)
    assert (auto.failure, auto.failed_at) == ("", None)
    assert auto.next_attempt_at == moment("2026-03-03T03:00:00+08:00")


@pytest.mark.parametrize(
    ("until", "expires"),
    [("2026-02-08T12:00:00+08:00", "2026-03-10"), ("2026-02-13T12:00:00+08:00", "2026-03-10")],
)
def test_after_an_outage_one_attempt_runs_at_once_dated_now_from_the_original_expiry(until: str, expires: str) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate()
    tick(owned, until)
    (order,) = renewals(owned)
    assert (owned.expires, order.placed_at, order.paid_at) == (expires, moment(until), moment(until))
    term = ResourceTerm.objects.order_by("-start")[0]
    assert (term.start, term.end) == (date(2026, 2, 10), date(2026, 3, 10))
    assert not told(owned, "resource_in_grace", "resource_expiring", "auto_renewal_failed")


def test_after_an_outage_a_failing_attempt_fails_once() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", funds=10)
    owned.automate()
    tick(owned, "2026-02-13T12:00:00+08:00")
    (message,) = told(owned, "auto_renewal_failed", "auto_renewal_ended")
    assert (message.kind, message.created_at) == ("auto_renewal_ended", moment("2026-02-13T12:00:00+08:00"))


def test_what_was_released_in_the_outage_is_not_renewed() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate()
    tick(owned, "2026-03-14T00:00:00+08:00")
    assert (owned.resource.status, renewals(owned)) == (ResourceStatus.CLOSED, [])
    assert not auto_of(owned).enabled


# How often, how long


def test_thirty_five_months_go_by_without_drift() -> None:
    owned = subscribed(term="1-month", at="2026-01-31")
    owned.automate()
    owned.at("2029-01-01")
    assert len(renewals(owned)) == 35
    terms = list(ResourceTerm.objects.order_by("start"))
    assert [term.end.day for term in terms[:4]] == [28, 31, 30, 31]
    assert all(earlier.end == later.start for earlier, later in pairwise(terms))
    assert owned.expires == "2029-01-31"
    assert balance(owned.resource.account_id).amount == Decimal(10_000) - 36 * 10
    assert check_ledger(system_call()).findings == []
    assert not SweepFailure.objects.exists()


def test_a_year_that_is_sold_as_twelve_months_renews_itself_for_twelve_months() -> None:
    plans = [catalog.plan(term_unit="month", unit_price="10.00", lengths=[1, 12])]
    owned = subscribed(term="12-month", at="2026-01-31", product=period_product(plans=plans))
    owned.automate("12-month")
    owned.at("2027-01-25")
    assert owned.expires == "2028-01-31"


def test_the_last_day_of_february_comes_back_in_leap_years() -> None:
    owned = subscribed(term="1-year", at="2024-02-29")
    owned.automate("1-year")
    ends = []
    for year in range(2025, 2029):
        owned.at(f"{year}-02-27")
        ends.append(owned.expires)
    assert ends == ["2026-02-28", "2027-02-28", "2028-02-29", "2029-02-28"]


def test_a_reader_in_new_york_sees_other_hours_for_the_same_deadlines() -> None:
    owned = subscribed(term="1-month", at="2026-02-15")
    owned.automate()
    zone = ZoneInfo("America/New_York")
    shown = []
    for day in ("2026-03-01", "2026-04-01", "2026-10-01", "2026-12-01"):
        owned.at(day)
        due = auto_of(owned).next_attempt_at
        assert due is not None and due.astimezone(clock.platform_zone()).hour == 3
        with timezone.override(zone):
            shown.append(display.moment_text(due))
    assert [text.split()[3] for text in shown] == ["14:00:00", "15:00:00", "15:00:00", "14:00:00"]


def test_renewals_are_counted_and_end() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate(times=2)
    owned.at("2026-02-05")
    assert auto_of(owned).left == 1
    owned.at("2026-06-01")
    assert len(renewals(owned)) == 2
    assert not auto_of(owned).enabled
    assert owned.resource.expiration_policy == ExpirationPolicy.MANUAL
    assert owned.resource.status == ResourceStatus.CLOSED or owned.expires == "2026-04-10"


def test_a_manual_renewal_leaves_it_on_moves_its_attempt_and_does_not_count() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate(times=3)
    owned.at("2026-02-01")
    owned.renew("1-month")
    auto = auto_of(owned)
    assert (auto.enabled, auto.left) == (True, 3)
    assert auto.next_attempt_at == moment("2026-03-03T03:00:00+08:00")
    owned.at("2026-02-20")
    assert owned.expires == "2026-03-10"


def test_it_renews_for_the_period_that_was_chosen() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate("1-year")
    owned.at("2026-02-05")
    assert (owned.expires, renewals(owned)[0].amount) == ("2027-02-10", Decimal(100))


# Rules of choosing


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        ({"length": "10-month"}, "term_not_sold"),
        ({"length": "4-year"}, "term_not_sold"),
        ({"length": "5-month"}, "term_not_sold"),
        ({"times": 0}, "autorenew_times"),
        ({"times": 100}, "autorenew_times"),
        ({"days_before": 8}, "autorenew_day"),
        ({"days_before": -1}, "autorenew_day"),
        ({"method": "credit"}, "payment_method_unknown"),
        ({"method": "reseller"}, "payment_method_unknown"),
        ({"method": "card:foreign"}, "payment_method_unknown"),
    ],
)
def test_what_cannot_be_chosen_is_refused_and_changes_nothing(choice: dict[str, object], code: str) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    assert refusal(lambda: owned.automate(**choice)) == code  # type: ignore[arg-type]
    assert not AutoRenewal.objects.exists()


def test_only_supported_products_within_the_scope_of_the_policy_renew_themselves() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", supports_auto_renewal=False)
    assert refusal(owned.automate) == "autorenew_not_supported"
    with guard.opened("test"):
        PolicyChoice.objects.create(since=moment("2020-01-01"), pack="2024")
    assert refusal(owned.automate) == "autorenew_scope"


def test_of_a_withdrawn_product_only_those_that_were_on_go_on_by_their_own_plan() -> None:
    on, off = (subscribed(term="1-month", at="2026-01-10") for _ in range(2))
    on.automate()
    withdraw(on.resource.product)
    withdraw(off.resource.product)
    assert refusal(off.automate) == "renewal_withdrawn"
    on.at("2026-02-05")
    assert (on.expires, renewals(on)[0].amount) == ("2026-03-10", Decimal(10))
    assert on.automate(days_before=3).days_before == 3


def withdraw(product: Product) -> None:
    """Take a product and its plans off sale."""
    with guard.opened("test"):
        product.state = "removed"
        product.save(update_fields=["state"])


def test_it_can_be_modified_and_disabled() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate(times=1)
    changed = owned.automate("3-month", days_before=2)
    assert (changed.left, changed.length.count) == (None, 3)
    assert changed.next_attempt_at == moment("2026-02-08T03:00:00+08:00")
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    auto_renewing.disable(call, resource=owned.resource.number)
    owned.at("2026-02-11T00:00:00+08:00")
    assert (owned.resource.status, renewals(owned)) == (ResourceStatus.GRACE, [])
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    assert refusal(lambda: auto_renewing.disable(call, resource=owned.resource.number)) == "autorenew_off"


# By what


def test_it_never_charges_another_method_than_the_chosen_one() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", funds=500)
    billing.grant(owned.resource.account, 5)
    owned.automate(method="credit")
    before = balance(owned.resource.account_id)
    owned.at("2026-02-04")
    assert renewals(owned) == [] and balance(owned.resource.account_id) == before
    (message, *_rest) = told(owned, "auto_renewal_failed")
    assert message.params["reason"]["reason"] == "autorenew_credit"
    assert "USD 5.00 missing" in words(message)


def test_by_credit_unless_a_statement_is_overdue() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    billing.grant(owned.resource.account, 100)
    owned.automate(method="credit")
    owned.at("2026-02-04")
    assert [order.paid_by for order in renewals(owned)] == ["credit"]
    with guard.opened("test"):
        CreditStatement.objects.create(
            number="ST-LATE", account=owned.resource.account, month=date(2026, 1, 1), amount=Decimal(10),
            currency="USD", generated_at=moment("2026-02-01"), due_at=moment("2026-03-01"),
        )  # fmt: skip
    owned.at("2026-03-04")
    assert len(renewals(owned)) == 1
    (message, *_rest) = told(owned, "auto_renewal_failed")
    assert message.params["reason"]["reason"] == "autorenew_credit_overdue"
    assert "USD 10.00 are overdue" in words(message)


@pytest.mark.parametrize(
    ("token", "outcome"),
    [("sandbox-approved", "renewed"), ("sandbox-timeout", "renewed"), ("sandbox-declined", "declined"),
     ("sandbox-garbage", "declined")],
)  # fmt: skip
def test_by_card_in_two_phases(token: str, outcome: str) -> None:
    owned = subscribed(term="1-month", at="2026-01-10", funds=10)
    card = billing.card(owned.resource.account, token=token)
    owned.automate(method=f"card:{card.code}")
    owned.at("2026-02-03T12:00:00+08:00")
    if outcome == "renewed":
        assert (owned.expires, [order.paid_by for order in renewals(owned)]) == ("2026-03-10", ["card"])
        assert auto_of(owned).next_attempt_at == moment("2026-03-03T03:00:00+08:00")
        owned.at("2026-02-20")
        assert Payment.objects.filter(method="card", state="succeeded").count() == 1
    else:
        assert renewals(owned) == []
        assert [order.cancel_reason for order in renewals(owned, OrderState.CANCELED)] == [CancelReason.UNPAID]
        (message,) = told(owned, "auto_renewal_failed")
        assert message.params["reason"]["reason"] == "autorenew_card_declined"
        assert "Replace the card" in words(message)
        assert auto_of(owned).next_attempt_at == moment("2026-02-04T03:00:00+08:00")
        assert warnings(owned)[0].response["code"] == "autorenew_card_declined"
    assert check_ledger(system_call()).findings == []


def warnings(owned: Owned) -> list[Trace]:
    rows = Trace.objects.filter(
        trace_name="renewAutomatically", trace_rating="warning", resource_id=owned.resource.number
    )
    return list(rows.order_by("time", "id"))


def test_a_seller_is_told_of_a_days_automatic_renewals_once() -> None:
    def heard() -> list[str]:
        rows = Message.objects.filter(account_id=first.resource.seller.account_id, kind="renewals_received")
        return list(rows.order_by("created_at").values_list("link", flat=True))

    first = subscribed(term="1-month", at="2026-01-10")
    second = subscribed(term="1-month", at="2026-01-10", product=first.resource.product)
    by_card = subscribed(term="1-month", at="2026-01-10", product=first.resource.product)
    card = billing.card(by_card.resource.account)
    first.automate(days_before=7)
    second.automate(days_before=7)
    by_card.automate(days_before=7, method=f"card:{card.code}")
    first.at("2026-02-03T12:00:00+08:00")
    for owned in (second, by_card):
        owned.resource.refresh_from_db()
    assert [each.expires for each in (first, second, by_card)] == ["2026-03-10"] * 3
    assert heard() == ["/seller/orders/?type=RENEW"]
    assert not Message.objects.filter(kind="order_received", created_at__gte=moment("2026-02-03")).exists()
    first.at("2026-03-03T12:00:00+08:00")
    assert len(heard()) == 2


def test_as_many_plans_are_read_for_ten_products_as_for_one(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    buyer = make_buyer()
    several = [subscribed(term="1-month", at="2026-01-10", buyer=buyer) for _each in range(10)]
    autos = [owned.automate(days_before=7).pk for owned in several]
    found = deciding_renewals.by_id(autos)
    with django_assert_max_num_queries(9):
        decisions = deciding_renewals.decide(found, when=lambda _each: several[0].now, locked=False)
    assert len({id(decision.priced) for decision in decisions}) == 10


def test_a_card_that_was_removed_or_is_expired_fails() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", funds=10)
    card = billing.card(owned.resource.account, expires_year=2026, expires_month=1)
    owned.automate(method=f"card:{card.code}")
    owned.at("2026-02-04")
    (message, *_rest) = told(owned, "auto_renewal_failed")
    assert message.params["reason"]["reason"] == "autorenew_card_expired"
    with guard.opened("test"):
        card.removed_at = owned.now
        card.save(update_fields=["removed_at"])
    owned.at("2026-02-05")
    assert told(owned, "auto_renewal_failed")[-1].params["reason"]["reason"] == "autorenew_card_gone"


def test_a_gateway_that_is_silent_for_a_day_is_tried_again_with_a_new_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from billing.gateways import Unclear
    from billing.gateways.sandbox import SandboxGateway

    def silent(*_arguments: object, **_named: object) -> object:
        raise Unclear("down")

    owned = subscribed(term="1-month", at="2026-01-10", funds=10)
    card = billing.card(owned.resource.account)
    owned.automate(method=f"card:{card.code}")
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge", silent)
        patched.setattr(SandboxGateway, "find_charge", silent)
        owned.at("2026-02-04T03:00:00+08:00")
    (message,) = told(owned, "auto_renewal_failed")
    assert message.params["reason"]["reason"] == "autorenew_card_silent"
    owned.at("2026-02-05T04:00:00+08:00")
    assert (owned.expires, len(renewals(owned))) == ("2026-03-10", 1)


def resold() -> tuple[Owned, Persona]:
    """A resource of a reseller's customer, charged to the reseller."""
    reseller = make_buyer(name="reseller")
    customer = make_buyer(name="customer", kind=AccountKind.RESELLER_CUSTOMER, reseller=reseller.account)
    return subscribed(term="1-month", at="2026-01-10", buyer=customer, funds=1), reseller


def test_a_resellers_customer_is_charged_to_the_reseller() -> None:
    owned, reseller = resold()
    owned.automate(method="reseller")
    owned.at("2026-02-04")
    (order,) = renewals(owned)
    assert (order.paid_by, order.reseller_id) == ("reseller", reseller.account.pk)  # type: ignore[union-attr]
    payment = Payment.objects.get(order_number=order.number)
    assert payment.payer_id == reseller.account.pk  # type: ignore[union-attr]
    assert check_ledger(system_call()).findings == []


def test_frozen_by_its_reseller_it_cannot_be_enabled_and_fails_with_both_told() -> None:
    owned, reseller = resold()
    owned.automate(method="reseller")
    freeze(owned, FrozenBy.RESELLER)
    assert refusal(lambda: owned.automate(method="reseller")) == "autorenew_frozen_by_reseller"
    owned.at("2026-02-03T12:00:00+08:00")
    (message,) = told(owned, "auto_renewal_failed")
    assert "Ask the reseller" in words(message)
    (other,) = Message.objects.filter(account_id=reseller.account.pk, kind="customer_renewal_failed")  # type: ignore[union-attr]
    assert "customer" in words(other)


def test_a_frozen_account_is_not_charged() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate()
    freeze(owned, FrozenBy.OPERATIONS)
    assert refusal(owned.automate) == "account_frozen"
    owned.at("2026-02-03T12:00:00+08:00")
    assert renewals(owned) == []
    assert told(owned, "auto_renewal_failed")[0].params["reason"]["reason"] == "account_frozen"


def freeze(owned: Owned, by: FrozenBy) -> None:
    account = owned.resource.account
    with guard.opened("test"):
        account.frozen_at, account.frozen_by, account.frozen_reason = owned.now, by, "unpaid"
        account.save(update_fields=["frozen_at", "frozen_by", "frozen_reason"])
    owned.buyer.account.refresh_from_db()  # type: ignore[union-attr]


# What follows from a failure


def test_a_failure_deducts_nothing_names_who_enabled_it_what_is_missing_and_the_cure() -> None:
    owned = subscribed(term="1-month", at="2026-01-10", funds="14.50")
    owned.automate()
    before = Order.objects.count()
    owned.at("2026-02-03T12:00:00+08:00")
    assert balance(owned.resource.account_id).amount == Decimal("4.50")
    assert Order.objects.count() == before
    (message,) = told(owned, "auto_renewal_failed")
    assert "USD 10.00 needed, USD 5.50 missing. Top up." in words(message)
    (trace,) = warnings(owned)
    assert (trace.trace_type, trace.account_id) == ("SystemAction", owned.resource.account_id)
    assert trace.request["enabled_by"] == owned.buyer.user.sign_in_name  # type: ignore[union-attr]
    assert trace.response["code"] == "autorenew_balance"


def test_an_unpaid_change_blocks_it_and_is_named() -> None:
    owned = subscribed(
        term="1-year", at="2025-02-10",
        product=period_product(
            quantity=("1", "9", "1"),
            plans=[catalog.plan(term_unit="year", model="linear", unit_price="20.00", lengths=[1])],
        ),
        quantity="2",
    )  # fmt: skip
    owned.automate("1-year")
    owned.at("2026-02-03T02:00:00+08:00")
    change = owned.place(kind="expansion", quantity="3")
    owned.at("2026-02-03T04:00:00+08:00")
    (message,) = told(owned, "auto_renewal_failed")
    assert change.number in words(message)
    owned.at("2026-02-04T04:00:00+08:00")
    assert owned.expires == "2027-02-10"


def test_an_unpaid_manual_renewal_gives_way() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate()
    owned.at("2026-02-03T02:00:00+08:00")
    unpaid = owned.place("1-month")
    owned.at("2026-02-03T04:00:00+08:00")
    unpaid.refresh_from_db()
    assert (unpaid.state, owned.expires, len(renewals(owned))) == (OrderState.CANCELED, "2026-03-10", 1)


def test_a_change_upon_renewal_is_skipped_without_a_word_and_resumes_when_it_is_canceled() -> None:
    product = period_product(
        quantity=("1", "9", "1"),
        plans=[catalog.plan(term_unit="year", model="linear", unit_price="20.00", lengths=[1])],
    )
    owned = subscribed(term="1-year", at="2025-02-10", product=product, quantity="2")
    owned.automate("1-year")
    owned.at("2026-01-20")
    owned.renew("1-year", quantity="1")
    assert refusal(lambda: owned.automate("1-year")) == "renewal_change_waits"
    owned.at("2026-02-10T12:00:00+08:00")
    assert not told(owned, "auto_renewal_failed", "auto_renewal_ended", "auto_renewal_would_fail")
    owned.cancel_renewal()
    owned.at("2026-02-10T13:00:00+08:00")
    assert (owned.expires, owned.resource.configured.quantity) == ("2027-02-10", Decimal(2))
    owned.at("2027-01-20")
    owned.renew("1-year", quantity="1")
    owned.at("2027-02-11T00:00:00+08:00")
    assert (owned.expires, owned.resource.configured.quantity) == ("2028-02-10", Decimal(1))
    assert auto_of(owned).next_attempt_at == moment("2028-02-03T03:00:00+08:00")


def test_a_closed_resource_is_not_tried_any_more() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate()
    resources.close_resource(owned.buyer.call(at=owned.now, key=pages.new_key()), resource=owned.resource.number)
    owned.at("2026-02-05")
    assert renewals(owned) == [] and not told(owned, "auto_renewal_failed")


# Pre-flights


def test_its_lines_of_bills_are_in_the_reader_s_language() -> None:
    product = period_product(name="Harbor ERP", name_zh="港口系统")
    with guard.opened("test"):
        product.specifications.update(name="Standard", name_zh="标准版")
    owned = subscribed(term="1-month", at="2026-01-10", product=product)
    owned.automate()
    owned.at("2026-02-05")
    client = owned.buyer.client
    client.cookies["django_language"] = "zh-hans"
    bill = Charge.objects.latest("pk").get_absolute_url()
    for address in (bill, "/console/bills/", "/console/bills/?export=csv", "/console/billing/statements/2026-02/"):
        with clock.at(owned.now):
            answer = client.get(address)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        text = html.unescape(content.decode())
        assert "港口系统 · 标准版" in text, address
        assert "Harbor ERP" not in text and "Standard" not in text, address


def test_pre_flights_tell_at_midnight_what_will_be_charged() -> None:
    owned = subscribed(term="2-month", at="2026-01-10")
    owned.automate(days_before=0)
    owned.at("2026-03-10T02:00:00+08:00")
    ahead = told(owned, "auto_renewal_ahead")
    assert [message.created_at for message in ahead] == [
        moment(f"{day}T00:00:00+08:00") for day in ("2026-02-08", "2026-02-23", "2026-03-03", "2026-03-09")
    ]
    assert "USD 10.00" in words(ahead[0])
    assert Trace.objects.filter(trace_name="simulateRenewal").count() == 4


def test_will_be_renewed_is_not_said_where_it_would_fail() -> None:
    owned = subscribed(term="2-month", at="2026-01-10", funds=25)
    owned.automate(days_before=0)
    owned.at("2026-03-09T12:00:00+08:00")
    assert not told(owned, "auto_renewal_ahead")
    warned = told(owned, "auto_renewal_would_fail")
    assert len(warned) == 4 and "USD 5.00 missing" in words(warned[0])


def test_what_is_enough_for_one_is_not_promised_to_two() -> None:
    buyer = make_buyer()
    first = subscribed(term="2-month", at="2026-01-10", funds=20, buyer=buyer)
    second = subscribed(term="2-month", at="2026-01-10", funds=30, buyer=buyer, product=first.resource.product)
    first.automate(days_before=1)
    second.automate(days_before=0)
    first.at("2026-02-08T01:00:00+08:00")
    assert [message.params["resource"] for message in told(first, "auto_renewal_ahead")] == [first.resource.number]
    (warned,) = told(first, "auto_renewal_would_fail")
    assert warned.params["resource"] == second.resource.number
    first.at("2026-03-10T12:00:00+08:00")
    second.resource.refresh_from_db()
    assert (first.expires, second.expires) == ("2026-04-10", "2026-03-10")


def test_a_card_that_expires_before_the_deduction_is_warned_of() -> None:
    owned = subscribed(term="2-month", at="2026-01-10", funds=20)
    card = billing.card(owned.resource.account, expires_year=2026, expires_month=2)
    owned.automate(days_before=0, method=f"card:{card.code}")
    owned.at("2026-02-08T01:00:00+08:00")
    assert told(owned, "auto_renewal_would_fail") and not told(owned, "auto_renewal_ahead")


def test_after_an_outage_a_pre_flight_runs_once_dated_now() -> None:
    owned = subscribed(term="2-month", at="2026-01-10")
    owned.automate(days_before=0)
    tick(owned, "2026-03-05T12:00:00+08:00")
    (message,) = told(owned, "auto_renewal_ahead")
    assert message.created_at == moment("2026-03-05T12:00:00+08:00")
    assert auto_of(owned).preflight_due_at == moment("2026-03-09T00:00:00+08:00")


# Many at once


def test_many_are_renewed_with_as_many_statements_as_one(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    product, buyer = period_product(), make_buyer()
    found = [subscribed(term="1-month", at="2026-01-10", product=product, buyer=buyer, funds=100) for _ in range(26)]
    for owned in found:
        owned.automate()
    at = moment("2026-02-03T03:00:00+08:00")

    def statements(owneds: list[Owned]) -> int:
        ids = [auto_of(owned).pk for owned in owneds]
        with guard.opened("test"), django_assert_max_num_queries(60) as asked:
            auto_renewing.attempt_due(ids, at)
        return len(asked)

    many = statements(found[1:])
    assert many <= statements(found[:1]) + 8
    assert len({order.number for owned in found for order in renewals(owned)}) == 26
    assert check_ledger(system_call()).findings == []


def test_set_wise_and_one_by_one_leave_the_same_rows() -> None:
    one, many = (subscribed(term="1-month", at="2026-01-10") for _ in range(2))
    for owned in (one, many):
        owned.automate(times=3)
    at = moment("2026-02-03T03:00:00+08:00")
    auto_renewing.renew_automatically(system_call(at=at), resource=one.resource.number)
    with guard.opened("test"):
        auto_renewing.attempt_due([auto_of(many).pk], at)
    left = {"id", "number", "quote_id", "account_id", "product_id", "seller_id", "order_id", "resource_id",
            "line_id", "order_number", "line_number", "once_key", "product_code", "product_name", "configuration",
            "explanation", "payer_id", "enabled_by", "description", "description_zh"}  # fmt: skip

    def rows(owned: Owned) -> list[dict[str, object]]:
        (order,) = renewals(owned)
        owned.resource.refresh_from_db()
        term = owned.resource.terms.latest("start")
        payment = Payment.objects.get(order_number=order.number)
        found = (order, order.line, term, payment, auto_of(owned), owned.resource)
        return [{name: value for name, value in _columns(row).items() if name not in left} for row in found]

    assert rows(one) == rows(many)


def test_what_is_in_effect_at_once_is_never_held_and_shows_the_same_money() -> None:
    one, many = (subscribed(term="1-month", at="2026-01-10") for _ in range(2))
    for owned in (one, many):
        owned.automate()
    at = moment("2026-02-03T03:00:00+08:00")
    auto_renewing.renew_automatically(system_call(at=at), resource=one.resource.number)
    with guard.opened("test"):
        auto_renewing.attempt_due([auto_of(many).pk], at)
    (single,), (set_wise,) = renewals(one), renewals(many)
    payment = Payment.objects.get(order_number=set_wise.number)
    posting = Posting.objects.get(about=set_wise.line.number)
    assert (posting.key, posting.kind, posting.at) == (f"pay:{payment.number}", PostingKind.PAYMENT, at)
    entries = {entry.account.kind: entry.amount for entry in posting.entries.select_related("account")}
    assert entries == {LedgerKind.CASH: -payment.amount, LedgerKind.EARNED: payment.amount}
    assert order_money(set_wise.number) == order_money(single.number)
    assert check_ledger(system_call()).findings == []


def test_an_automatic_renewal_is_one_trace_that_names_its_completed_order() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.automate()
    with guard.opened("test"):
        auto_renewing.attempt_due([auto_of(owned).pk], moment("2026-02-03T03:00:00+08:00"))
    (order,) = renewals(owned)
    trace = Trace.objects.get(trace_name="renewAutomatically")
    assert trace.trace_type == "SystemAction" and trace.resource_id == owned.resource.number
    assert trace.response == {"order": order.number, "amount": str(order.total), "state": "completed"}
    assert not Trace.objects.filter(resource_id=order.number, trace_name="completeOrder").exists()


def _columns(row: object) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}  # type: ignore[attr-defined]


def test_the_hours_are_those_of_the_policy() -> None:
    expiry = date(2026, 2, 10)
    at = datetime.fromisoformat("2026-02-09T03:00:00+08:00")
    hour = at.time()
    assert rules.next_attempt(expiry=expiry, hour=hour, after=at - timedelta(seconds=1)) == at
    assert rules.next_attempt(expiry=expiry, hour=hour, after=at) == at + timedelta(days=1)
    assert rules.next_attempt(expiry=expiry, hour=hour, after=at + timedelta(days=1)) is None
