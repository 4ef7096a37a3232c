"""The installation's keys for traces: an Ed25519 key that signs digests, and a key derived from it for seals."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.conf import settings

from audit.rules import canonical


@functools.lru_cache(maxsize=4)
def _private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(seed))


@functools.lru_cache(maxsize=4)
def _seal_key(seed: str) -> bytes:
    return hashlib.sha256(b"trace seal\x00" + base64.urlsafe_b64decode(seed)).digest()


def seal(trace_hash: str) -> str:
    """The keyed mark of a trace hash under `settings.SIGNING_KEY`."""
    return canonical.seal(trace_hash, key=_seal_key(settings.SIGNING_KEY))


def sealer() -> Callable[[str], str]:
    """`seal` with the key looked up once, for many traces."""
    return functools.partial(canonical.seal, key=_seal_key(settings.SIGNING_KEY))


def sign(text: str) -> str:
    """An Ed25519 signature of a text, as hexadecimal digits."""
    return _private(settings.SIGNING_KEY).sign(text.encode()).hex()


def public_key() -> Ed25519PublicKey:
    """The key that checks this installation's digests."""
    return _private(settings.SIGNING_KEY).public_key()


def public_key_pem() -> bytes:
    """The public key as PEM, as auditors download it."""
    return public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public_key(pem: bytes) -> Ed25519PublicKey:
    """A downloaded public key. Raises `ValueError` when it is not an Ed25519 key."""
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("This is not an Ed25519 public key.")
    return key


def is_signed(text: str, signature: str, *, key: Ed25519PublicKey | None = None) -> bool:
    """Whether `signature` is this installation's (or `key`'s) signature of `text`."""
    try:
        (key or public_key()).verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
