"""Encrypting an export under a passphrase: scrypt for the key, AES-256-GCM for the content.

The file is `MAGIC`, one byte with the binary logarithm of scrypt's cost, 16 bytes of salt, 12 bytes of nonce,
and the content, encrypted, with its 16 bytes of tag. All that stands before is authenticated with it.
"""

from __future__ import annotations

import os

MAGIC = b"recog encrypted export 1\n"
COST = 17  # 2**17 blocks of 1 KiB, OWASP's advice of 2023: 128 MiB and about half a second for every guess
_MOST = 20  # of a file that is read: a forged one must not claim all memory
_SALT, _NONCE = 16, 12


def encrypt(content: bytes, passphrase: str) -> bytes:
    """`content` so that only who knows the passphrase can read it, or change it unnoticed."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    head = MAGIC + bytes([COST]) + os.urandom(_SALT)
    nonce = os.urandom(_NONCE)
    return head + nonce + AESGCM(_key(head, passphrase)).encrypt(nonce, content, head)


def decrypt(content: bytes, passphrase: str) -> bytes:
    """What was encrypted.

    Raises:
        ValueError: another passphrase, or another content than `encrypt` wrote.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    end = len(MAGIC) + 1 + _SALT
    head, nonce = content[:end], content[end : end + _NONCE]
    if len(nonce) < _NONCE or not 1 <= head[len(MAGIC)] <= _MOST:
        raise ValueError("its head is damaged")
    try:
        return AESGCM(_key(head, passphrase)).decrypt(nonce, content[end + _NONCE :], head)
    except InvalidTag as error:
        raise ValueError("another passphrase, or damaged") from error


def _key(head: bytes, passphrase: str) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    cost, salt = head[len(MAGIC)], head[len(MAGIC) + 1 :]
    return Scrypt(salt, length=32, n=2**cost, r=8, p=1).derive(passphrase.encode())
