"""The message centre: one's own messages, read and unread, in one's own language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from audit.models import Trace
from koogallery.kernel.models import OutboxMessage
from koogallery.notifications.models import Message, MessageChoices
from koogallery.notifications.operations import notify
from koogallery.notifications.queries import unread_count
from tests.personas import Persona

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LIST = "/console/messages/"

pytestmark = pytest.mark.django_db


def tell(persona: Persona, count: int = 1) -> list[Message]:
    for number in range(count):
        notify(
            account_id=persona.account.pk,
            kind="order_completed",
            params={"order": f"CS{number}", "product": "InkRoute"},
            link=f"/console/orders/CS{number}/",
            key=f"order-completed:CS{number}",
            at=AT + timedelta(minutes=number),
        )
    return list(Message.objects.filter(user=persona.user).order_by("pk"))


def test_messages_are_listed_newest_first_with_their_counts(buyer: Persona) -> None:
    tell(buyer, 3)
    page = buyer.client.get(LIST)
    assert [row.object.params["order"] for row in page.context["list"].rows] == ["CS2", "CS1", "CS0"]
    assert [(tab.key, tab.count) for tab in page.context["list"].tabs] == [("all", "3"), ("unread", "3"), ("read", "0")]
    found = buyer.client.get(LIST, {"q": "CS1"})
    assert [row.object.params["order"] for row in found.context["list"].rows] == ["CS1"]


def test_opening_a_message_marks_it_as_read(buyer: Persona) -> None:
    (message,) = tell(buyer)
    page = buyer.client.get(reverse("notifications:message", args=[message.pk]))
    assert "Your order CS0, InkRoute, is completed." in page.content.decode()
    assert 'href="/console/orders/CS0/"' in page.content.decode()
    assert unread_count(buyer.user) == 0
    first = Message.objects.get().read_at
    buyer.client.get(reverse("notifications:message", args=[message.pk]))
    assert Message.objects.get().read_at == first


def test_nobody_reads_anothers_messages(buyer: Persona, stranger: Persona) -> None:
    (message,) = tell(buyer)
    assert stranger.client.get(reverse("notifications:message", args=[message.pk])).status_code == 404
    assert stranger.client.post(reverse("notifications:read", args=[message.pk])).status_code == 404
    stranger.client.post(reverse("notifications:read_many"), {"selected": [message.pk]})
    stranger.client.post(reverse("notifications:read_many"), {"all": "1"})
    assert list(stranger.client.get(LIST).context["list"].rows) == []
    assert unread_count(buyer.user) == 1


def test_selected_and_all_messages_are_marked_as_read(buyer: Persona) -> None:
    first, *_rest = tell(buyer, 3)
    buyer.client.post(reverse("notifications:read_many"), {"selected": [first.pk, "x", ""]})
    assert unread_count(buyer.user) == 2
    buyer.client.post(reverse("notifications:read_many"), {"all": "1"})
    assert unread_count(buyer.user) == 0
    assert Trace.objects.filter(trace_name="readMessages").count() == 2


def test_the_preferences_decide_what_comes_by_mail(buyer: Persona) -> None:
    address = reverse("notifications:preferences")
    assert buyer.client.get(address).status_code == 200
    buyer.client.post(address, {"mail:order_completed": "1", "sms:order_paid": "1"})
    choices = MessageChoices.objects.get(user=buyer.user).choices
    assert choices["order_completed"] == {"mail": True, "sms": False}
    assert choices["order_paid"] == {"mail": False, "sms": True}
    assert "password_reset" not in choices
    tell(buyer)
    assert OutboxMessage.objects.get().kind == "mail"


def test_a_message_is_read_in_the_readers_language_of_the_moment(buyer: Persona) -> None:
    (message,) = tell(buyer)
    page = buyer.client.get(reverse("notifications:message", args=[message.pk]), headers={"Accept-Language": "en"})
    assert page.status_code == 200


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_takes_the_same_few_queries_for_any_number_of_rows(
    buyer: Persona, count: int, django_assert_max_num_queries: object
) -> None:
    tell(buyer, count)
    buyer.client.get(LIST, {"size": "100"})
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        buyer.client.get(LIST, {"size": "100"})
