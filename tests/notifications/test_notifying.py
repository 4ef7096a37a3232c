"""What is told reaches its reader once, in the reader's words, and never in the way of what is told of."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail as postbox
from django.db import transaction
from django.test import override_settings

from koogallery import clock
from koogallery.identity.models import Account, User
from koogallery.kernel import guard, outbox
from koogallery.kernel.models import OutboxMessage
from koogallery.kernel.money import Money
from koogallery.notifications import gateways
from koogallery.notifications.kinds import KINDS, UnknownKind
from koogallery.notifications.models import Message, MessageChoices, SentMessage
from koogallery.notifications.operations import Notice, mail, notify, notify_many
from koogallery.notifications.queries import unread_count

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader() -> User:
    return make_reader("acme")


def make_reader(name: str, *, language: str = "en", root: bool = True, account: Account | None = None) -> User:
    with guard.opened("test"):
        account = account or Account.objects.create(name=name, email=f"{name}@example.test", created_at=AT)
        return User.objects.create(
            account=account,
            username=name,
            email=f"{name}@example.test",
            mobile="+6591234567",
            is_root=root,
            language=language,
        )


def tell(reader: User, **changes: object) -> None:
    values: dict = {
        "account_id": reader.account_id,
        "kind": "order_paid",
        "params": {"order": "CS1", "product": "InkRoute", "amount": Money(Decimal("1200"), "USD")},
        "link": "/console/orders/CS1/",
        "key": "order-paid:CS1",
        "at": AT,
    }
    notify(**{**values, **changes})


def deliver(at: datetime = AT) -> int:
    with clock.at(at):
        return outbox.deliver_due(at)


def test_a_message_stands_in_the_message_centre_and_leaves_by_mail_once(reader: User) -> None:
    tell(reader)
    tell(reader)
    message = Message.objects.get()
    assert message.subject == "Order CS1 is paid"
    assert "USD 1,200.00" in message.body
    assert unread_count(reader) == 1
    assert deliver() == 1
    assert deliver() == 0
    (sent,) = postbox.outbox
    assert sent.to == ["acme@example.test"]
    assert sent.subject == "Order CS1 is paid"
    html = sent.alternatives[0].content if hasattr(sent.alternatives[0], "content") else sent.alternatives[0][0]
    for body in (sent.body, html):
        assert "USD 1,200.00" in body
        assert "http://testserver/console/orders/CS1/" in body
    assert not SentMessage.objects.exists()


def test_parameters_are_escaped_in_the_html_and_only_there(reader: User) -> None:
    tell(reader, params={"order": "CS1", "product": "<b>&</b>", "amount": "USD 1.00"})
    deliver()
    (sent,) = postbox.outbox
    assert "<b>&</b>" in sent.body
    assert "<b>&</b>" not in str(sent.alternatives[0])
    assert "&lt;b&gt;" in str(sent.alternatives[0])


def test_a_line_break_in_a_parameter_does_not_break_the_subject(reader: User) -> None:
    tell(reader, params={"order": "CS1\r\nBcc: x@example.test", "product": "p", "amount": "1"})
    deliver()
    assert "\n" not in postbox.outbox[0].subject


def test_moments_are_shown_in_the_readers_zone(reader: User) -> None:
    with guard.opened("test"):
        User.objects.filter(pk=reader.pk).update(zone="Europe/Berlin")
    tell(reader, kind="password_changed", params={"name": "acme", "at": AT, "address": "203.0.113.7"})
    deliver()
    assert "Nov 23, 2026 03:00:00 GMT+01:00" in postbox.outbox[0].body


def test_a_choice_keeps_the_mail_away_but_not_the_message_and_not_a_required_kind(reader: User) -> None:
    MessageChoices.objects.create(
        user=reader, choices={"order_paid": {"mail": False}, "password_changed": {"mail": False}}
    )
    tell(reader)
    tell(reader, kind="password_changed", key="password:1", params={"name": "acme", "at": AT, "address": "::1"})
    deliver()
    assert [sent.subject for sent in postbox.outbox] == ["Your password was changed"]
    assert Message.objects.count() == 2


def test_iam_users_are_told_only_when_named(reader: User) -> None:
    clerk = make_reader("clerk", root=False, account=reader.account)
    other = make_reader("other", root=False, account=reader.account)
    tell(reader, user_ids=[clerk.pk])
    assert set(Message.objects.values_list("user_id", flat=True)) == {reader.pk, clerk.pk}
    assert unread_count(other) == 0


def test_an_sms_leaves_by_the_gateway_when_asked_for(reader: User, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []

    class Gateway:
        def send(self, *, to: str, text: str, key: str) -> None:
            said.append((to, text))

    monkeypatch.setattr(gateways, "gateway", Gateway)
    tell(reader, mail=False, sms=True)
    deliver()
    assert said == [("+6591234567", "[KooGallery] Order CS1 is paid")]
    assert postbox.outbox == []


@override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=1)
def test_a_failing_mail_server_parks_the_mail_and_trying_again_sends_it(reader: User) -> None:
    with transaction.atomic():
        tell(reader)
    moment = AT
    for _try in range(outbox.MAX_TRIES):
        deliver(moment)
        moment += timedelta(hours=2)
    parked = OutboxMessage.objects.get()
    assert parked.parked_at is not None and parked.next_try_at is None
    assert "refused" in parked.error.lower()
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
        outbox.retry(parked, at=moment)
        deliver(moment)
        assert len(postbox.outbox) == 1


def test_a_message_told_in_a_transaction_that_rolls_back_is_never_sent(reader: User) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        tell(reader)
        raise RuntimeError
    assert deliver() == 0
    assert not Message.objects.exists()


def test_a_direct_mail_is_stored_encrypted_and_carries_attachments() -> None:
    mail(
        to="new@example.test",
        kind="email_verification",
        params={"name": "new", "hours": 24},
        link="/accounts/verify/secret-token/",
        language="en",
        key="verify:1",
        at=AT,
        attachments=[("a.txt", "text/plain", b"content")],
    )
    assert "secret-token" not in str(OutboxMessage.objects.get().payload)
    deliver()
    (sent,) = postbox.outbox
    assert "http://testserver/accounts/verify/secret-token/" in sent.body
    assert sent.attachments[0][0] == "a.txt"


@override_settings(REHEARSAL=True)
def test_a_rehearsal_keeps_what_was_sent_with_its_attachments() -> None:
    mail(
        to="new@example.test",
        kind="email_verification",
        params={"name": "new", "hours": 24},
        language="zh-hans",
        key="verify:1",
        at=AT,
        attachments=[("a.txt", "text/plain", b"content")],
    )
    deliver()
    kept = SentMessage.objects.get()
    assert (kept.recipient, kept.language, kept.attachments[0]["content"]) == (
        "new@example.test",
        "zh-hans",
        "Y29udGVudA==",
    )


def test_many_notices_take_as_many_statements_as_one(reader: User, django_assert_num_queries: object) -> None:
    def notices(count: int) -> list[Notice]:
        return [
            Notice(
                account_id=reader.account_id, kind="order_expired", key=f"{count}-{n}", at=AT, params={"order": str(n)}
            )
            for n in range(count)
        ]

    for count, savepoints in ((1, 0), (30, 4), (300, 4)):
        with django_assert_num_queries(3 + savepoints):  # type: ignore[operator]
            notify_many(notices(count))
    assert Message.objects.count() == 331


@pytest.mark.parametrize("count", [2, 200])
def test_of_many_notices_only_those_with_new_keys_are_told(reader: User, count: int) -> None:
    def tell_some(first: int, last: int, order: str) -> None:
        notify_many(
            [
                Notice(account_id=reader.account_id, kind="order_expired", key=f"k{n}", at=AT, params={"order": order})
                for n in range(first, last)
            ]
        )

    tell_some(0, count, "CS1")
    tell_some(count // 2, 2 * count, "CS2")
    told = dict(Message.objects.values_list("key", "params__order"))
    assert told == {f"k{n}": "CS1" if n < count else "CS2" for n in range(2 * count)}


def test_an_unknown_kind_is_an_error_where_it_is_told(reader: User) -> None:
    with pytest.raises(UnknownKind):
        tell(reader, kind="order_payed")
    assert not Message.objects.exists()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_renders_in_both_languages_with_the_parameters_it_names(name: str) -> None:
    from django.utils import translation

    from koogallery.notifications import rendering

    kind = KINDS[name]
    names = set(re.findall(r"%\((\w+)\)s", kind.subject + kind.body))
    params = {param: f"«{param}»" for param in names}
    for language in ("en", "zh-hans"):
        with translation.override(language):
            letter = rendering.letter(kind, params, link="/x/")
            for param in names:
                assert f"«{param}»" in letter.subject + letter.text
