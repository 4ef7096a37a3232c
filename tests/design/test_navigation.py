"""The consoles' navigation, the frames' preferences, the error pages."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory

from koogallery.kernel import navigation
from koogallery.kernel.context import Frame


def test_the_longest_address_above_a_page_is_current() -> None:
    addresses = ["/console/", "/console/orders/", "/console/orders/unpaid/"]
    assert navigation.current_address(addresses, "/console/orders/unpaid/") == "/console/orders/unpaid/"
    assert navigation.current_address(addresses, "/console/orders/CS26/") == "/console/orders/"
    assert navigation.current_address(addresses, "/console/") == "/console/"
    assert navigation.current_address(addresses, "/console/tags/") == ""


def test_an_item_without_a_page_is_left_out() -> None:
    request = RequestFactory().get("/console/")
    shown = {link.url for section in navigation.sections("buyer", request) for link in section.links}
    known = {item.address for group in navigation.CONSOLES["buyer"] for item in group.items}
    assert shown == {address for address in known if navigation.leads_somewhere(address)}


def test_one_item_is_current_though_two_lead_to_its_page() -> None:
    request = RequestFactory().get("/console/unsubscriptions/")
    links = [link for section in navigation.sections("buyer", request) for link in section.links]
    assert [link.url for link in links].count(request.path) == 2
    assert [str(link.label) for link in links if link.current] == ["My Unsubscriptions"]


def test_a_page_that_takes_its_last_part_for_a_number_is_no_page_of_an_item() -> None:
    assert navigation.leads_somewhere("/styleguide/")
    assert not navigation.leads_somewhere("/styleguide/list/")
    assert not navigation.leads_somewhere("/no/such/page/")


def test_a_count_is_shown_small_and_zero_is_not() -> None:
    assert [navigation.shown_badge(count) for count in (0, 7, 99, 100)] == ["", "7", "99", "99+"]


def test_a_name_is_provided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navigation, "_providers", {})
    navigation.provide("drafts", len)
    with pytest.raises(ValueError, match="twice"):
        navigation.provide("drafts", max)


@pytest.mark.parametrize("name", ["buyer", "seller"])
def test_every_group_has_words_and_every_address_is_its_console_s(name: str) -> None:
    root = {"buyer": "/console/", "seller": "/seller/"}[name]
    for group in navigation.CONSOLES[name]:
        assert str(group.label)
        assert all(item.address.startswith(root) and item.address.endswith("/") for item in group.items)


@pytest.mark.django_db
def test_preferences_are_kept_in_cookies_and_lead_back(client: Client) -> None:
    answer = client.get("/preferences/display/?theme=dark&language=zh-hans&next=/styleguide/%3Frows%3D1")
    assert answer["Location"] == "/styleguide/?rows=1"
    text = client.get("/styleguide/form/").content.decode()
    assert '<html lang="zh-hans" data-theme="dark">' in text


@pytest.mark.django_db
@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_preferences_lead_nowhere_else(client: Client, elsewhere: str) -> None:
    assert client.get("/preferences/display/", {"theme": "dark", "next": elsewhere})["Location"] == "/"


@pytest.mark.django_db
def test_unknown_preferences_are_not_kept(client: Client) -> None:
    client.get("/preferences/display/?theme=neon&language=xx")
    assert not client.cookies


@pytest.mark.django_db
def test_an_unknown_address_gets_the_project_s_own_page(client: Client) -> None:
    answer = client.get("/no/such/page/")
    assert answer.status_code == 404
    assert "This page does not exist" in answer.content.decode()


def test_an_anonymous_frame_asks_nobody_for_counts() -> None:
    assert not Frame(RequestFactory().get("/")).unread_messages
