"""The connections to PostgreSQL and Redis: usable ones are kept without asking, ended ones are opened again."""

from __future__ import annotations

import psycopg
import pytest
from django.core.cache import caches
from django.db import connection


@pytest.mark.django_db(transaction=True)
def test_a_connection_is_found_usable_without_a_statement() -> None:
    connection.ensure_connection()
    sent: list[object] = []

    def listen(execute: object, sql: object, *rest: object) -> object:
        sent.append(sql)
        return execute(sql, *rest)  # type: ignore[operator]

    with connection.execute_wrapper(listen):
        assert connection.is_usable()
    assert sent == []


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_not_usable() -> None:
    connection.ensure_connection()
    line = connection.connection
    assert line is not None
    with psycopg.connect(line.info.dsn, password=line.info.password, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [line.info.backend_pid])
    assert not connection.is_usable()
    connection.close()
    connection.ensure_connection()
    assert connection.is_usable()


def test_questions_to_the_cache_share_one_client() -> None:
    client = caches["default"]._cache
    assert client.get_client() is client.get_client()
    assert client.get_client("key", write=True) is client.get_client(write=True)
