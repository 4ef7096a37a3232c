"""Remembering nonces for all processes, whether or not Redis is there."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection

from koogallery import clock
from orders.models import UsedNonce
from orders.saas.signing_v2 import TIME_WINDOW

if TYPE_CHECKING:
    from catalog.models import Product

KEPT = 3 * TIME_WINDOW


def remember(product: Product, nonce: str, *, at: datetime) -> bool:
    """Store a nonce of a product at a real moment; false when it is known. Of several at once one is first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_usednonce AS n (digest, expires_at) VALUES (%s, %s) "
            "ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at WHERE n.expires_at <= %s "
            "RETURNING n.id",
            [hashlib.sha256(f"{product.pk}:{nonce}".encode()).hexdigest(), at + KEPT, at],
        )
        return cursor.fetchone() is not None


def forget(upto: datetime) -> None:
    """Delete what has expired; signatures live by the real clock, also in a rehearsal."""
    UsedNonce.objects.filter(expires_at__lte=clock.real_now()).delete()
