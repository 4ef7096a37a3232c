"""Guarded rows change only while an operation runs, whichever way one tries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection, models, transaction
from django.db.models import ProtectedError
from psycopg import sql

from koogallery.identity.models import Account, EnterpriseProject
from koogallery.kernel import guard
from koogallery.kernel.models import OutboxMessage, PolicyChoice
from tests.personas import Persona

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TABLE = "kernel_policychoice"

pytestmark = pytest.mark.django_db


@pytest.fixture
def choice() -> PolicyChoice:
    with guard.opened("test"):
        return PolicyChoice.objects.create(since=AT, pack="2025")


@pytest.mark.parametrize(
    "write",
    [
        lambda row: row.save(),
        lambda row: row.delete(),
        lambda row: PolicyChoice(since=AT, pack="2024").save(),
        lambda row: PolicyChoice.objects.create(since=AT, pack="2024"),
        lambda row: PolicyChoice.objects.update(pack="2024"),
        lambda row: PolicyChoice.objects.all().delete(),
        lambda row: PolicyChoice.objects.filter(pk=row.pk)._raw_delete("default"),
        lambda row: PolicyChoice.objects.bulk_create([PolicyChoice(since=AT, pack="2024")]),
        lambda row: PolicyChoice.objects.bulk_update([row], ["pack"]),
        lambda row: PolicyChoice.objects.get_or_create(since=AT, pack="2024"),
        lambda row: PolicyChoice.objects.update_or_create(since=AT, defaults={"pack": "2024"}),
        lambda row: PolicyChoice._base_manager.update(pack="2024"),
        lambda row: models.QuerySet(PolicyChoice).update(pack="2024"),
        lambda row: models.QuerySet(PolicyChoice).delete(),
    ],
)
def test_the_orm_is_refused_outside_an_operation(choice: PolicyChoice, write: object) -> None:
    with pytest.raises(guard.Unguarded), transaction.atomic():
        write(choice)  # type: ignore[operator]
    assert list(PolicyChoice.objects.values_list("pack", flat=True)) == ["2025"]


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {TABLE} SET pack = '2024'",
        f"  update   \"{TABLE}\" set pack = '2024'",
        f"UPDATE ONLY {TABLE} SET pack = '2024'",
        f"UPDATE public.{TABLE} SET pack = '2024'",
        f"DELETE FROM {TABLE}",
        f"TRUNCATE {TABLE}",
        f"TRUNCATE TABLE {TABLE}",
        f"INSERT INTO {TABLE} (since, pack, overrides, chosen_by) VALUES (now(), '2024', '{{}}', '')",
        f"WITH gone AS (DELETE FROM {TABLE} RETURNING 1) SELECT count(*) FROM gone",
        f"-- a note\nUPDATE {TABLE} SET pack = '2024'",
        f"/* a note */ UPDATE {TABLE} SET pack = '2024'",
        f"MERGE INTO {TABLE} t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
        sql.SQL("UPDATE {} SET pack = '2024'").format(sql.Identifier(TABLE)),
    ],
)
def test_raw_statements_are_refused_outside_an_operation(choice: PolicyChoice, statement: object) -> None:
    with pytest.raises(guard.Unguarded), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(PolicyChoice.objects.values_list("pack", flat=True)) == ["2025"]


def test_reading_and_unguarded_tables_are_free(choice: PolicyChoice) -> None:
    assert PolicyChoice.objects.count() == 1
    OutboxMessage.objects.create(kind="x", key=TABLE, created_at=AT)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE kernel_outboxmessage SET error = %s", [f"UPDATE {TABLE}"])
        cursor.execute(f"SELECT count(*) FROM {TABLE}")
        assert cursor.fetchone() == (1,)


def test_a_row_that_others_point_to_is_not_cascaded_away(buyer: Persona) -> None:
    with guard.opened("test"):
        EnterpriseProject.objects.create(account=buyer.account, code="p1", name="one", created_at=AT, updated_at=AT)
        with pytest.raises(ProtectedError):
            buyer.account.delete()
    assert Account.objects.filter(pk=buyer.account.pk).exists()


def test_the_guard_closes_again_also_after_a_fault(choice: PolicyChoice) -> None:
    with pytest.raises(ZeroDivisionError), guard.opened("test"):
        assert guard.running() == "test"
        raise ZeroDivisionError
    assert guard.running() == ""
    with pytest.raises(guard.Unguarded):
        choice.save()
