"""What every test of orders needs: terms to sign, and a buyer who can pay."""

from __future__ import annotations

import pytest

from koogallery.identity.models import AgreementText
from tests.factories import billing
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
