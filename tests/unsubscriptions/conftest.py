"""What every test of unsubscription needs: the terms to sign."""

from tests.supervision.conftest import terms

__all__ = ["terms"]
