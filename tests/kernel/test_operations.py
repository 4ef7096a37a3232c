"""The one door: who, what, may they, once, do, say, then — in this order, and nothing by halves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections, transaction

from audit.models import Trace
from koogallery.kernel import operations
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.models import IdempotencyKey, PolicyChoice
from koogallery.kernel.operations import describe, operation, ports, present, registry
from koogallery.kernel.reasons import Missing, Refused
from tests.personas import Persona

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@contextmanager
def declared(function: Callable[..., Any], name: str = "testOperation", **options: Any) -> Iterator[Callable[..., Any]]:
    """An operation of this test alone."""
    values = {"resource_type": "Policy", "roles": {Role.BUYER}, "default_allowed": True}
    made = operation(name, **{**values, **options})(function)
    try:
        yield made
    finally:
        del registry[name]


def choose(call: Call, *, pack: str = "2024", **rest: Any) -> PolicyChoice:
    """Write a guarded row."""
    return PolicyChoice.objects.create(since=AT, pack=pack)


def packs() -> list[str]:
    return list(PolicyChoice.objects.order_by("pk").values_list("pack", flat=True))


def test_the_steps_come_in_order(buyer: Persona, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    authorise, record = ports.authorise, ports.record
    monkeypatch.setattr(ports, "authorise", lambda *given: (steps.append("may they"), authorise(*given)))
    monkeypatch.setattr(ports, "record", lambda entries: (steps.append("say"), record(entries)))

    row = choose_row()

    def resolve(call: Call, key: str) -> PolicyChoice:
        steps.append(f"what {key}")
        return row

    def do(call: Call, *, thing: PolicyChoice) -> None:
        steps.append("do" if thing is row else "do something else")

    with declared(do, targets={"thing": resolve}) as act:
        act(buyer.call(), thing="7")
        assert steps == ["what 7", "may they", "do", "say"]
        steps.clear()
        with pytest.raises(Refused):
            act(Call(role=Role.SELLER, at=AT), thing="7")
        assert steps == ["say"]


def test_the_target_is_fetched_by_key_and_a_row_from_outside_is_refused(buyer: Persona) -> None:
    row = choose_row()
    with declared(lambda call, *, choice: None, targets={"choice": lambda call, key: row}) as act:
        with pytest.raises(TypeError, match="takes the key"):
            act(buyer.call(), choice=row)
        act(buyer.call(), choice=row.pk)


def choose_row() -> PolicyChoice:
    from koogallery.kernel import guard

    with guard.opened("test"):
        return PolicyChoice.objects.create(since=AT, pack="2025")


def test_what_the_caller_cannot_know_is_missing_before_anyone_asks_for_permission(
    buyer: Persona, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(call: Call, key: str) -> None:
        raise Missing("no")

    monkeypatch.setattr(ports, "authorise", lambda *given: pytest.fail("asked"))
    with declared(lambda call, *, choice: None, targets={"choice": nothing}) as act, pytest.raises(Missing):
        act(buyer.call(), choice="1")
    trace = Trace.objects.get()
    assert (trace.account_id, trace.code, trace.resource_id) == (buyer.account.pk, "not_found", "")


def test_a_refusal_rolls_back_and_is_told_afterwards(buyer: Persona) -> None:
    def act_and_refuse(call: Call) -> None:
        choose(call)
        raise Refused("invalid_input")

    with declared(act_and_refuse) as act, pytest.raises(Refused):
        act(buyer.call())
    assert packs() == []
    told = Trace.objects.get()
    assert (told.trace_rating, told.code, told.account_id) == ("warning", "invalid_input", buyer.account.pk)


def test_a_fault_rolls_back_and_is_told_without_its_text(buyer: Persona) -> None:
    def break_down(call: Call) -> None:
        choose(call)
        raise RuntimeError("password=hunter2")

    with declared(break_down) as act, pytest.raises(RuntimeError):
        act(buyer.call())
    assert packs() == []
    told = Trace.objects.get()
    assert (told.trace_rating, told.code, told.message) == ("warning", "fault", "RuntimeError")


def test_an_operation_inside_another_joins_it_and_names_its_parent(buyer: Persona) -> None:
    def inner(call: Call) -> PolicyChoice:
        return choose(call, pack="inner")

    def outer(call: Call, *, fail: bool) -> PolicyChoice:
        made = inside(call)
        if fail:
            raise Refused("invalid_input")
        return made

    with declared(inner, "testInner", roles={Role.SYSTEM}) as inside, declared(outer) as act:
        act(buyer.call(), fail=False)
        told = {row.trace_name: row for row in Trace.objects.all()}
        assert told["testInner"].parent_trace == told["testOperation"].trace_id
        assert told["testOperation"].parent_trace is None
        with pytest.raises(Refused):
            act(buyer.call(), fail=True)
    assert packs() == ["inner"]
    assert Trace.objects.filter(trace_name="testInner").count() == 1


def test_the_trace_speaks_of_the_target_or_the_answer_or_what_was_described(buyer: Persona) -> None:
    def say_more(call: Call) -> PolicyChoice:
        describe(resource_id="R-9", resource_name="nine", project="p1", amount="USD 1.00", secret_token="t")
        return choose(call)

    with declared(say_more) as act:
        act(buyer.call())
    told = Trace.objects.get()
    assert (told.resource_id, told.resource_name, told.enterprise_project_id) == ("R-9", "nine", "p1")
    assert told.response == {"amount": "USD 1.00", "secret_token": "********"}


def test_a_key_binds_the_committed_answer(buyer: Persona) -> None:
    with declared(choose, once=True) as act:
        first = act(buyer.call(key="k-12345678"), pack="2024")
        again = act(buyer.call(key="k-12345678"), pack="2024")
        other = act(buyer.call(key="k-87654321"), pack="2024")
    assert first == again != other
    assert len(packs()) == 2
    assert Trace.objects.count() == 2


def test_the_same_key_with_another_body_is_refused(buyer: Persona) -> None:
    with declared(choose, once=True) as act:
        act(buyer.call(key="k-12345678"), pack="2024")
        for body in ({"pack": "2025"}, {"pack": "2024", "more": 1}):
            with pytest.raises(Refused) as refused:
                act(buyer.call(key="k-12345678"), **body)
            assert refused.value.code == "replayed_with_other_content"
    assert packs() == ["2024"]


def test_long_texts_that_differ_only_at_their_end_are_another_body(buyer: Persona) -> None:
    with declared(choose, once=True) as act:
        act(buyer.call(key="k-12345678"), text="a" * 3000)
        with pytest.raises(Refused):
            act(buyer.call(key="k-12345678"), text="a" * 2999 + "b")


def test_a_key_of_a_refused_form_is_free_for_the_corrected_one(buyer: Persona) -> None:
    def pick(call: Call, *, pack: str) -> PolicyChoice:
        if pack == "bad":
            raise Refused("invalid_input", field="pack")
        return choose(call, pack=pack)

    with declared(pick, once=True) as act:
        with pytest.raises(Refused):
            act(buyer.call(key="k-12345678"), pack="bad")
        assert not IdempotencyKey.objects.exists()
        act(buyer.call(key="k-12345678"), pack="2024")
    assert packs() == ["2024"]


def test_a_key_of_another_account_is_another_key(buyer: Persona, stranger: Persona) -> None:
    with declared(choose, once=True) as act:
        assert act(buyer.call(key="k-12345678")) != act(stranger.call(key="k-12345678"))


@pytest.mark.django_db(transaction=True)
def test_parallel_calls_under_one_key_act_once(buyer: Persona) -> None:
    calls = [buyer.call(key="k-12345678") for _ in range(8)]
    answers: list[Any] = []
    ready = threading.Barrier(len(calls))

    def send(call: Call) -> None:
        ready.wait()
        try:
            answers.append(act(call, pack="2024").pk)
        except Exception as fault:
            answers.append(fault)
        finally:
            connections.close_all()

    with declared(choose, once=True) as act:
        threads = [threading.Thread(target=send, args=[call]) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(answers)) == 1, answers
    assert packs() == ["2024"]
    assert Trace.objects.filter(trace_name="testOperation").count() == 1


def test_a_read_opens_no_transaction_and_is_told(buyer: Persona) -> None:
    seen = []
    before = connection.in_atomic_block and len(connection.savepoint_ids)
    with declared(lambda call: seen.append(len(connection.savepoint_ids)), read=True) as act:
        act(buyer.call())
    assert seen == [before]
    assert Trace.objects.get().read_only


def test_may_says_why_not_without_doing_anything(buyer: Persona) -> None:
    with declared(choose):
        assert operations.may(buyer.call(), "testOperation") is None
        refused = operations.may(Call(role=Role.ANONYMOUS, at=AT), "testOperation")
    assert refused is not None
    assert refused.code == "sign_in_required"
    assert not Trace.objects.exists()


def test_a_name_is_declared_once() -> None:
    with declared(choose), pytest.raises(ValueError, match="twice"):
        operation("testOperation", resource_type="Policy", roles={Role.BUYER})(choose)


def test_values_are_presented_short_and_without_secrets() -> None:
    from decimal import Decimal

    from koogallery.kernel.money import Money

    assert present({"password": "x", "nested": [{"api_token": "y"}], "n": Decimal("1.10")}) == {
        "password": "********",
        "nested": [{"api_token": "********"}],
        "n": "1.10",
    }
    assert present("a" * 3000) == "a" * 2000 + "…"
    assert present(Role.BUYER) == "buyer"
    assert present(Money(Decimal("1"), "USD")) == "USD 1.00"
    assert present({3, 1, 2}) == [1, 2, 3]
    assert present(1.5) == "<float>"


def test_an_inner_refusal_that_is_caught_is_not_told_as_done_and_breaks_nothing() -> None:
    def tell(call: Call) -> None:
        """A step that succeeds before the one around it is refused."""

    def refuse(call: Call) -> None:
        choose(call)
        registry["tellInside"].function(call)
        raise Refused("invalid_input")

    def go_on(call: Call) -> None:
        with suppress(Refused), transaction.atomic():
            inner(call)
        choose(call, pack="2025")

    system = {"roles": {Role.SYSTEM}}
    with (
        declared(tell, "tellInside", **system),
        declared(refuse, "refuseInside", **system) as inner,
        declared(go_on, "goOn", **system) as outer,
    ):
        outer(system_call(at=AT))
    assert packs() == ["2025"]
    assert list(Trace.objects.values_list("trace_name", flat=True)) == ["goOn"]


def test_the_same_key_with_another_password_is_another_body(buyer: Persona) -> None:
    def set_secret(call: Call, *, password: str) -> PolicyChoice:
        return choose(call)

    with declared(set_secret, "setSecret", once=True, sensitive={"password"}) as operate:
        operate(buyer.call(key="a-form-key"), password="first")
        with pytest.raises(Refused, match="replayed_with_other_content"):
            operate(buyer.call(key="a-form-key"), password="second")


@pytest.mark.django_db(transaction=True)
def test_what_leaves_after_the_commit_is_not_part_of_the_operation() -> None:
    told: list[object] = []

    def leave(call: Call) -> None:
        operations.after_commit(lambda: told.append(operations.current_trace_id()))

    with declared(leave, "leaveLater", roles={Role.SYSTEM}) as operate:
        operate(system_call(at=AT))
    assert told == [None]
