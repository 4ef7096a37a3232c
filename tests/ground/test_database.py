"""The ground of the tests themselves: the engine's kind, and that no test sees another's rows."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection


@pytest.mark.django_db
def test_the_database_is_postgresql_18_with_the_builtin_locale() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, lower('É'), datlocale FROM pg_database")
        version, folded, locale = cursor.fetchone()
    assert version >= 180_000
    assert (folded, locale) == ("é", "C.UTF-8")


@pytest.mark.django_db
def test_trigrams_of_chinese_words_are_kept() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        cursor.execute("SELECT similarity('数据库软件', '数据库')")
        (likeness,) = cursor.fetchone()
    assert likeness > 0


@pytest.mark.django_db
@pytest.mark.parametrize("attempt", ["first", "second"])
def test_a_test_leaves_no_row(attempt: str) -> None:
    assert not ContentType.objects.filter(app_label="left_behind").exists()
    ContentType.objects.create(app_label="left_behind", model=attempt)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", ["first", "second"])
def test_a_committing_test_leaves_no_row(attempt: str) -> None:
    assert not ContentType.objects.filter(app_label="left_behind").exists()
    ContentType.objects.create(app_label="left_behind", model=attempt)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", ["first", "second"])
def test_a_table_that_refuses_truncate_does_not_break_the_next_test(attempt: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept_for_ever (id int)")
        cursor.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$")
        cursor.execute("CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kept_for_ever EXECUTE FUNCTION refuse()")


@pytest.mark.django_db
@pytest.mark.parametrize("attempt", ["first", "second"])
def test_a_test_leaves_nothing_in_redis(attempt: str) -> None:
    assert cache.get("left-behind") is None
    cache.set("left-behind", attempt)
    assert cache.get("left-behind") == attempt
