"""What every answer tells the browser (quality.md, Security)."""

from __future__ import annotations

import pytest
from django.test import override_settings

from tests.security.addresses import all_addresses

pytestmark = pytest.mark.django_db

PAGES = [address for address in all_addresses() if not address.names_an_object and address.audience != "api"]


@pytest.mark.parametrize("address", PAGES, ids=[address.route or "/" for address in PAGES])
def test_every_page_forbids_frames_foreign_content_and_inline_script(address, buyer):
    response = buyer.client.get(address.at({}))
    assert response.status_code < 500
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";") if part.strip())
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy["script-src"] + policy["style-src"]


def test_the_forms_of_sign_in_are_not_cached(client, db):
    for address in ("/sign-in/", "/sign-up/", "/accounts/password/"):
        assert "no-store" in client.get(address)["Cache-Control"]


@override_settings(SESSION_COOKIE_SECURE=True)
def test_the_session_cookie_is_for_this_site_and_no_script(buyer, client):
    client.post("/sign-in/", {"name": "buyer", "password": "correct horse battery"})
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["secure"]
