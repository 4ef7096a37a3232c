"""Encryption of contact data and application passwords in version 1.0: AES-CBC with a key derived as Java does it.

The key comes from a Java `KeyGenerator` seeded by `SHA1PRNG(access key)`; a sealed text is 16 letters and digits of
IV followed by the base64 of the cipher.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import string
from enum import IntEnum

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

IV_LENGTH = 16
BLOCK_BITS = 128


class EncryptType(IntEnum):
    """The algorithm as version 1.0 numbers it."""

    AES_256 = 1
    AES_128 = 2

    @property
    def key_bytes(self) -> int:
        """Length of the key."""
        return 32 if self is EncryptType.AES_256 else 16


class NotDecrypted(ValueError):
    """The text was not sealed with this key and algorithm."""


def derive_key(*, access_key: str, length: int) -> bytes:
    """The first `length` bytes of Java's SHA1PRNG seeded with the access key."""
    state = hashlib.sha1(access_key.encode(), usedforsecurity=False).digest()
    stream = b""
    while len(stream) < length:
        output = hashlib.sha1(state, usedforsecurity=False).digest()
        stream += output
        state = _next_state(state, output)
    return stream[:length]


def _next_state(state: bytes, output: bytes) -> bytes:
    """Adds state, output and one as Java does: signed bytes, carry by arithmetic shift, never the same state twice."""
    carry, following = 1, bytearray()
    for old, new in zip(state, output, strict=True):
        total = _signed(old) + _signed(new) + carry
        following.append(total & 0xFF)
        carry = total >> 8
    if bytes(following) == state:
        following[0] = (following[0] + 1) & 0xFF
    return bytes(following)


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def seal(*, text: str, access_key: str, encrypt_type: EncryptType = EncryptType.AES_256, iv: str | None = None) -> str:
    """Encrypt `text`; `iv` is random unless given (16 letters and digits)."""
    iv = iv or "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(IV_LENGTH))
    padder = PKCS7(BLOCK_BITS).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    encryptor = _cipher(access_key=access_key, encrypt_type=encrypt_type, iv=iv).encryptor()
    return iv + base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def unseal(*, sealed: str, access_key: str, encrypt_type: EncryptType = EncryptType.AES_256) -> str:
    """Decrypt what `seal` made. Raises `NotDecrypted`."""
    try:
        iv, encrypted = sealed[:IV_LENGTH], base64.b64decode(sealed[IV_LENGTH:], validate=True)
        decryptor = _cipher(access_key=access_key, encrypt_type=encrypt_type, iv=iv).decryptor()
        unpadder = PKCS7(BLOCK_BITS).unpadder()
        padded = decryptor.update(encrypted) + decryptor.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except (ValueError, binascii.Error) as error:
        raise NotDecrypted("The text cannot be decrypted with this key.") from error


def _cipher(*, access_key: str, encrypt_type: EncryptType, iv: str) -> Cipher[modes.CBC]:
    key = derive_key(access_key=access_key, length=encrypt_type.key_bytes)
    return Cipher(algorithms.AES(key), modes.CBC(iv.encode()))
