"""Resources as operations managers see them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.factories.subscriptions import subscribed
from tests.personas import Persona

pytestmark = pytest.mark.django_db


def test_paid_terms_show_dates_and_amounts_as_everywhere(operator: Persona) -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    page = operator.client.get(reverse("admin:orders_resource_change", args=[owned.resource.pk])).content.decode()
    page = page.replace("\xa0", " ")
    for shown in ("Jan 10, 2026", "Feb 10, 2026", "USD 10.00"):
        assert shown in page
    assert "10.0000" not in page
