"""The ledger: what `post` promises and what the database refuses, whoever asks."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import IntegrityError, close_old_connections, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import Entry, LedgerAccount, Posting
from billing.operations import ledger
from billing.states import LedgerKind, PostingKind
from koogallery import clock
from koogallery.kernel import guard
from koogallery.kernel.guard import Unguarded
from koogallery.kernel.money import Money

INTO_ENTRY = "INSERT INTO billing_entry (posting_id, account_id, amount, currency)"
INTO_ACCOUNT = "INSERT INTO billing_ledgeraccount (kind, owner, currency, balance, may_be_negative)"

pytestmark = pytest.mark.django_db


def usd(amount):
    return Money(Decimal(amount), "USD")


def post(key, *entries, about="CS1-000001"):
    with guard.opened("test"):
        return ledger.post(key=key, kind=PostingKind.PAYMENT, at=clock.now(), about=about, entries=entries)


def balance(ref, currency="USD"):
    return LedgerAccount.objects.get(kind=ref.kind, owner=ref.owner, currency=currency).balance


def refused(statement, params=(), constraint=""):
    with (
        pytest.raises(IntegrityError) as refusal,
        transaction.atomic(),
        guard.opened("test"),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, params)
    if constraint:
        assert refusal.value.__cause__.diag.constraint_name == constraint


@pytest.fixture
def posting():
    post("first", (ledger.funding(), usd(-100)), (ledger.cash(1), usd(100)))
    return Posting.objects.get(key="first")


def test_a_posting_moves_the_balances_of_its_accounts(posting):
    assert balance(ledger.cash(1)) == 100
    assert balance(ledger.funding()) == -100
    assert posting.entries.count() == 2


def test_a_posting_is_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        post("one", (ledger.funding(), usd(-1)), (ledger.cash(2), usd(1)))


def test_the_same_key_posts_once(posting):
    assert post("first", (ledger.funding(), usd(-100)), (ledger.cash(1), usd(100))) is False
    assert balance(ledger.cash(1)) == 100
    assert Posting.objects.count() == 1


def test_the_same_key_with_other_entries_raises(posting):
    with pytest.raises(ledger.OtherPosting):
        post("first", (ledger.funding(), usd(-90)), (ledger.cash(1), usd(90)))


def test_a_chunk_posts_only_what_is_new(posting):
    new = [
        ledger.NewPosting(
            key=key,
            kind=PostingKind.FUNDS,
            at=clock.now(),
            about="",
            entries=[(ledger.funding(), usd(-100)), (ledger.cash(1), usd(100))],
        )
        for key in ("first", "second", "third")
    ]
    with guard.opened("test"):
        assert ledger.post_many(new) == {"second", "third"}
    assert balance(ledger.cash(1)) == 300


def test_a_key_stands_once_in_a_chunk():
    new = ledger.NewPosting(
        key="twice",
        kind=PostingKind.FUNDS,
        at=clock.now(),
        about="",
        entries=[(ledger.funding(), usd(-1)), (ledger.cash(1), usd(1))],
    )
    with guard.opened("test"), pytest.raises(ValueError, match="one posting"):
        ledger.post_many([new, new])


def test_a_large_chunk_is_one_statement_and_every_text_is_kept(django_assert_num_queries):
    owners = [f'{number} "quoted\\", {{braces}}, 软件' for number in range(20)]
    new = [
        ledger.NewPosting(
            key=f"pay:{owner}",
            kind=PostingKind.PAYMENT,
            at=clock.now(),
            about=owner,
            entries=[(ledger.funding(), usd("-1.50")), (ledger.held(owner), usd("1.50"))],
        )
        for owner in owners
    ]
    with guard.opened("test"), django_assert_num_queries(1):
        assert ledger.post_many(new) == {posting.key for posting in new}
    assert set(Posting.objects.values_list("about", flat=True)) == set(owners)
    assert [balance(ledger.held(owner)) for owner in owners] == [Decimal("1.50")] * len(owners)
    assert balance(ledger.funding()) == Decimal("-1.50") * len(owners)


def moved(*movements):
    keys, abouts, sources, targets, amounts = zip(*movements, strict=True) if movements else [()] * 5
    columns = {"keys": keys, "abouts": abouts, "sources": sources, "targets": targets, "amounts": amounts}
    with guard.opened("test"):
        ledger.move_many(**columns, kind=PostingKind.PAYMENT, at=clock.now())


def test_movements_take_amounts_from_one_account_to_another_in_one_statement(posting, django_assert_num_queries):
    movements = [(f"pay:{n}", f"line {n}", ledger.cash(1), ledger.earned(n % 2), usd(n)) for n in (1, 2, 3)]
    with django_assert_num_queries(1):
        moved(*movements)
    assert (balance(ledger.cash(1)), balance(ledger.earned(0)), balance(ledger.earned(1))) == (94, 2, 4)
    found = Posting.objects.get(about="line 3")
    assert sorted(entry.amount for entry in found.entries.all()) == [-3, 3]
    moved()


@pytest.mark.parametrize(
    ("key", "amount", "constraint"),
    [("first", "1", "billing_posting_key_key"), ("second", "100.01", "ledger_balance_not_negative")],
)
def test_a_movement_under_a_taken_key_or_of_too_much_is_refused(posting, key, amount, constraint):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        moved((key, "line", ledger.cash(1), ledger.earned(7), usd(amount)))
    assert refusal.value.__cause__.diag.constraint_name == constraint
    assert balance(ledger.cash(1)) == 100


def test_a_movement_of_an_unrounded_amount_is_refused(posting):
    with pytest.raises(ValueError, match="rounded"):
        moved(("second", "line", ledger.cash(1), ledger.earned(7), usd("0.001")))


def test_nothing_is_posted_outside_an_operation():
    with pytest.raises(Unguarded):
        ledger.post(key="x", kind=PostingKind.FUNDS, at=clock.now(), about="", entries=[(ledger.cash(1), usd(1))])


def test_an_unrounded_amount_is_an_error():
    with pytest.raises(ValueError, match="rounded"):
        post("x", (ledger.funding(), usd("-0.001")), (ledger.cash(1), usd("0.001")))


def test_an_unbalanced_posting_is_refused():
    with pytest.raises(IntegrityError, match="sum to zero"), transaction.atomic():
        post("x", (ledger.funding(), usd(-2)), (ledger.cash(1), usd(1)))
    assert not Posting.objects.exists()


def test_a_posting_balances_per_currency():
    with pytest.raises(IntegrityError, match="sum to zero"), transaction.atomic():
        post("x", (ledger.funding(), usd(-1)), (ledger.cash(1), Money(Decimal(1), "EUR")))


def test_a_posting_with_one_entry_is_refused():
    with pytest.raises(IntegrityError), transaction.atomic():
        post("x", (ledger.funding(), usd(0)))
    with pytest.raises(IntegrityError), transaction.atomic():
        post("y", (ledger.funding(), usd(1)))


def test_a_posting_without_entries_is_refused():
    refused(
        "INSERT INTO billing_posting (key, kind, about, at) VALUES ('x', 'funds', '', now())",
        constraint="ledger_two_entries",
    )


def test_the_orm_habit_of_posting_then_entries_is_refused():
    with pytest.raises(IntegrityError), transaction.atomic(), guard.opened("test"):
        Posting.objects.create(key="x", kind=PostingKind.FUNDS, at=clock.now())


def test_balanced_extra_entries_for_an_old_posting_are_refused(posting):
    first, second = posting.entries.order_by("pk")
    refused(
        f"{INTO_ENTRY} VALUES (%s, %s, -5, 'USD'), (%s, %s, 5, 'USD')",
        [posting.pk, first.account_id, posting.pk, second.account_id],
        constraint="ledger_complete",
    )
    assert balance(ledger.cash(1)) == 100


def test_entries_of_no_posting_are_refused(posting):
    first, second = posting.entries.order_by("pk")
    refused(
        f"{INTO_ENTRY} VALUES (0, %s, -5, 'USD'), (0, %s, 5, 'USD')",
        [first.account_id, second.account_id],
        constraint="ledger_complete",
    )


@pytest.mark.parametrize(("account", "currency"), [("0", "USD"), ("id", "EUR")])
def test_an_entry_for_no_account_of_its_currency_is_refused(posting, account, currency):
    refused(
        f"WITH p AS (INSERT INTO billing_posting (key, kind, about, at) VALUES ('x', 'funds', '', now()) RETURNING id) "
        f"{INTO_ENTRY} SELECT p.id, {account.replace('id', 'a.id')}, n.amount, "
        f"'{currency}' FROM p, billing_ledgeraccount a, (VALUES (1), (-1)) n(amount)",
        constraint="ledger_account_of_currency",
    )


@pytest.mark.parametrize("table", ["billing_posting", "billing_entry"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id + 1000", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_what_was_posted_is_never_changed_or_deleted(posting, table, statement):
    refused(statement.format(table), constraint="ledger_append_only")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_ledgeraccount SET balance = balance + 1",
        "UPDATE billing_ledgeraccount SET owner = 'somebody'",
        f"{INTO_ACCOUNT} SELECT kind, owner, currency, 0, may_be_negative FROM billing_ledgeraccount "
        "ON CONFLICT (kind, owner, currency) DO UPDATE SET balance = 7",
        "MERGE INTO billing_ledgeraccount a USING billing_ledgeraccount b ON a.id = b.id "
        "WHEN MATCHED THEN UPDATE SET balance = 7",
        "UPDATE billing_ledgeraccount SET may_be_negative = TRUE",
        "DELETE FROM billing_ledgeraccount",
        "TRUNCATE billing_ledgeraccount CASCADE",
        f"{INTO_ACCOUNT} VALUES ('cash', '9', 'USD', 5, FALSE)",
    ],
)
def test_balances_are_not_written_by_hand(posting, statement):
    refused(statement, constraint="ledger_append_only")


def test_a_duplicate_key_is_refused_by_the_database(posting):
    refused(
        "INSERT INTO billing_posting (key, kind, about, at) VALUES ('first', 'funds', '', now())",
        constraint="billing_posting_key_key",
    )


def test_a_balance_is_never_negative_where_it_must_not_be(posting):
    with pytest.raises(IntegrityError, match="ledger_balance_not_negative"), transaction.atomic():
        post("x", (ledger.cash(1), usd("-100.01")), (ledger.held("l"), usd("100.01")))
    assert balance(ledger.cash(1)) == 100


def test_the_kinds_that_may_be_negative_are_the_listed_ones():
    refused(
        f"{INTO_ACCOUNT} VALUES ('cash', '9', 'USD', 0, TRUE)",
        constraint="ledger_negative_kinds",
    )


@pytest.mark.django_db(transaction=True)
def test_parallel_postings_on_hot_accounts_do_not_deadlock():
    errors: list[Exception] = []

    def work(worker: int) -> None:
        refs = [ledger.cash(number) for number in range(3)]
        if worker % 2:
            refs.reverse()
        try:
            for number in range(15):
                with transaction.atomic():
                    post(f"{worker}:{number}", (ledger.funding(), usd(-3)), *[(ref, usd(1)) for ref in refs])
        except Exception as error:
            errors.append(error)
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [balance(ledger.cash(number)) for number in range(3)] == [90, 90, 90]
    assert balance(ledger.funding()) == -270


@pytest.mark.django_db(transaction=True)
def test_one_key_posted_in_parallel_posts_once():
    outcomes: list[bool] = []

    def work() -> None:
        try:
            with transaction.atomic():
                outcomes.append(post("same", (ledger.funding(), usd(-1)), (ledger.cash(1), usd(1))))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]
    assert balance(ledger.cash(1)) == 1


MOVES = st.lists(
    st.tuples(
        st.sampled_from([("funding", ""), ("cash", "1"), ("cash", "2"), ("held", "l"), ("earned", "7")]),
        st.sampled_from([("cash", "1"), ("cash", "2"), ("held", "l"), ("earned", "7"), ("settled", "7")]),
        st.integers(1, 10_000),
    ),
    max_size=12,
)


@given(moves=MOVES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_balance_is_the_sum_of_its_entries_whatever_is_tried(moves):
    with transaction.atomic():
        for number, (source, target, cents) in enumerate(moves):
            amount = usd(Decimal(cents) / 100)
            try:
                with transaction.atomic():
                    post(
                        f"move:{number}",
                        (ledger.LedgerRef(*source), -amount),
                        (ledger.LedgerRef(*target), amount),
                    )
            except IntegrityError:
                assert source[0] not in ("funding", "earned") or source == target
        for account in LedgerAccount.objects.all():
            entries = Entry.objects.filter(account=account)
            assert account.balance == sum(entry.amount for entry in entries)
            assert account.balance >= 0 or account.kind in (LedgerKind.FUNDING, LedgerKind.EARNED)
        transaction.set_rollback(True)
