"""What every test of supervision needs: the terms to sign."""

from __future__ import annotations

import pytest

from koogallery.identity.models import AgreementText
from tests.factories.identity import AgreementTextFactory


@pytest.fixture(autouse=True)
def terms(request: pytest.FixtureRequest) -> None:
    """The terms and conditions in force, for tests that use a database."""
    if "db" not in request.fixturenames and "transactional_db" not in request.fixturenames:
        return
    request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    if not AgreementText.objects.filter(subject="terms").exists():
        AgreementTextFactory(kind="terms", subject="terms", titles={"en": "Terms and Conditions"})
