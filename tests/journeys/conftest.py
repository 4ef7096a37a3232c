"""What journeys start from: a catalogue to search, and the server of a seller."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from catalog.models import Product
from orders.example_seller import DEMO_KEY, ExampleSeller
from tests.factories import catalog


@pytest.fixture
def server(settings: Settings) -> Iterator[ExampleSeller]:
    """A seller's server on loopback, which this installation may call."""
    settings.ALLOW_LOOPBACK_SELLERS = True
    with ExampleSeller(key=DEMO_KEY) as seller:
        yield seller


@pytest.fixture
def wiki(transactional_db: None, server: ExampleSeller) -> Product:
    """A SaaS product that is found by "wiki", USD 10.00 a user and month or 100.00 a user and year, among others."""
    shelf = catalog.make_category("teamwork", name="Teamwork", name_zh="团队协作")
    product = catalog.saas_product(
        slug="nimbus-wiki",
        name="Nimbus Wiki",
        summary="Knowledge of a team in one place",
        categories=[shelf],
        interface_url=server.url,
        interface_key=server.key,
    )
    catalog.content_product(name="Wiki migration", summary="We move your pages", categories=[shelf])
    catalog.hardware_product(name="Rack console", summary="A screen for the server room")
    return product
