"""Queries whose SQL is made once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.db.models import F, Func, Q
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from koogallery.identity.models import Account, User
from koogallery.kernel import prepared
from koogallery.kernel.guard import Unguarded
from koogallery.kernel.prepared import Given, GivenEach, Prepared
from tests.personas import Persona

pytestmark = pytest.mark.django_db


def _users() -> models.QuerySet[User]:
    return User.objects.select_related("account").filter(account_id=Given("account"), is_active=True).order_by("pk")


def test_a_prepared_query_answers_what_the_query_set_answers(buyer: Persona, seller: Persona) -> None:
    users: Prepared[User] = Prepared(_users)
    for persona in (buyer, seller, buyer):
        usual = list(User.objects.filter(account_id=persona.account.pk, is_active=True).order_by("pk"))
        found = users.all(account=persona.account.pk)
        assert found == usual
        assert [user.preferences for user in found] == [user.preferences for user in usual]
        assert found[0].account == persona.account
    assert users.first(account=-1) is None


def test_the_sql_is_made_once_and_joined_rows_need_no_query(buyer: Persona) -> None:
    made: list[int] = []

    def build() -> models.QuerySet[User]:
        made.append(1)
        return _users()

    users: Prepared[User] = Prepared(build)
    for _turn in range(5):
        with CaptureQueriesContext(connection) as caught:
            user = users.first(account=buyer.account.pk)
            assert user is not None and user.account is not None and user.account.name
        assert len(caught) == 1
        assert "identity_user" in caught.captured_queries[0]["sql"]
    assert made == [1]


def test_lists_and_columns_may_be_asked_for(buyer: Persona, seller: Persona) -> None:
    pks: Prepared[int] = Prepared(
        lambda: (
            Account.objects.filter(Q(pk__in=GivenEach("pks")) | Q(name__in=GivenEach("names", "text")))
            .order_by("pk")
            .values_list("pk", flat=True)
        )
    )
    assert pks.all(pks=[buyer.account.pk], names=[seller.account.name]) == sorted([buyer.account.pk, seller.account.pk])
    assert pks.all(pks=[], names=[]) == []
    count: Prepared[int] = Prepared(
        lambda: (
            Account.objects.filter(pk__in=GivenEach("pks"))
            .order_by()
            .values_list(Func(F("pk"), function="count"), flat=True)
        )
    )
    assert count.first(pks=[buyer.account.pk, seller.account.pk, -1]) == 2


def test_what_never_changes_is_written_into_the_sql(buyer: Persona) -> None:
    named: Prepared[Account] = Prepared(lambda: Account.objects.filter(name__contains="100%'s", pk=Given("pk")))
    with CaptureQueriesContext(connection) as caught:
        assert named.all(pk=buyer.account.pk) == []
    assert "100" in caught.captured_queries[0]["sql"]
    with pytest.raises(KeyError):
        named.all()


def test_other_connections_use_the_same_query(buyer: Persona) -> None:
    users: Prepared[User] = Prepared(_users)
    users.first(account=buyer.account.pk)
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(users.all(account=buyer.account.pk))
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert answers == [[]], "another connection does not see the rows of this open transaction"


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_inside_a_transaction_only(buyer: Persona) -> None:
    locked: Prepared[Account] = Prepared(lambda: Account.objects.select_for_update(no_key=True).filter(pk=Given("pk")))
    with transaction.atomic():
        assert locked.first(pk=buyer.account.pk) == buyer.account
    with pytest.raises(TransactionManagementError):
        locked.first(pk=buyer.account.pk)


def test_without_kept_plans_the_answers_are_the_same(buyer: Persona, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    users: Prepared[User] = Prepared(_users)
    before = _plans_kept()
    monkeypatch.setattr(connection.connection, "prepare_threshold", None)
    for _turn in range(5):
        assert users.first(account=buyer.account.pk) == buyer.user
    assert _plans_kept() == before


def _plans_kept() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        return int(cursor.fetchone()[0])


def test_a_statement_of_ones_own_is_planned_once_and_guarded_like_any(buyer: Persona) -> None:
    for _turn in range(4):
        with prepared.cursor() as cursor:
            cursor.execute("SELECT name FROM identity_account WHERE id = %s", [buyer.account.pk])
            assert cursor.fetchone() == (buyer.account.name,)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT name FROM identity%'")
        assert cursor.fetchone() == (1,)
    with pytest.raises(Unguarded), prepared.cursor() as cursor:
        cursor.execute("UPDATE identity_account SET name = 'x' WHERE id = %s", [buyer.account.pk])
