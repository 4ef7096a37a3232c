"""The nonces with which sellers' servers signed what they ask."""

from __future__ import annotations

from django.db import models


class UsedNonce(models.Model):
    """A nonce that is not taken again until `expires_at`; the digest of product and nonce.

    A guard against replays and no record: it holds no state of the business, so no operation guards it.
    """

    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest
