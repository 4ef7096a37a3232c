"""What every test of orders needs: terms to sign, and a buyer who can pay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from catalog.models import Product
from koogallery.identity.models import AgreementText
from orders.example_seller import DEMO_KEY, ExampleSeller
from tests.factories import billing, catalog
from tests.factories.identity import AgreementTextFactory
from tests.personas import Persona


@pytest.fixture(autouse=True)
def terms(request: pytest.FixtureRequest) -> None:
    """The terms and conditions in force, for tests that use a database."""
    if "db" not in request.fixturenames and "transactional_db" not in request.fixturenames:
        return
    request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    if not AgreementText.objects.filter(subject="terms").exists():
        AgreementTextFactory(kind="terms", subject="terms", titles={"en": "Terms and Conditions"})


@pytest.fixture
def rich(buyer: Persona) -> Persona:
    """The buyer with USD 10,000.00 on the balance."""
    billing.fund(buyer.account, 10_000)
    return buyer


@pytest.fixture
def server(settings: Settings) -> Iterator[ExampleSeller]:
    """A seller's server on loopback, which this installation may call."""
    settings.ALLOW_LOOPBACK_SELLERS = True
    with ExampleSeller(key=DEMO_KEY) as seller:
        yield seller


@pytest.fixture
def app(db: None, server: ExampleSeller) -> Product:
    """A SaaS product, USD 10.00 a user and month, whose seller runs `server` with version 2.0."""
    return catalog.saas_product(interface_url=server.url, interface_key=server.key)
