"""Encrypted objects: each has a key of its own, wrapped in its entry, and without that no copy can be read. Pure.

An object is ``VBE1``, 7 random bytes, then chunks of 64 KiB, each with its tag (AES-256-GCM). A chunk's nonce is the
random bytes, its number, and whether it is the last: none can be changed, moved, left out or added unseen, and any
range is read without the rest.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voicebackend.errors import PipelineError

CHUNK = 64 * 1024
"""Bytes of content that are encrypted together."""
TAG = 16
"""Bytes by which a chunk grows."""
_MAGIC, _RANDOM, _NONCE, _KEY = b"VBE1", 7, 12, 32
HEADER = len(_MAGIC) + _RANDOM
"""Bytes before the first chunk."""


class Vault:
    """Wraps and unwraps objects' keys by the deployment's secret of at least 32 bytes; without one it opens nothing.

    Unless ``encrypts``, it opens what is encrypted already, and gives no keys to new objects.
    """

    def __init__(self, secret: str = "", *, encrypts: bool = False) -> None:
        self._encrypts, self._wrapping = encrypts and bool(secret), _wrapping(secret)

    def __repr__(self) -> str:
        return "<Vault>"

    def new_key(self, id_: str) -> str:
        """Return a new key for the object of this id, wrapped; empty where it is not to be encrypted."""
        if self._wrapping is None or not self._encrypts:
            return ""
        nonce = os.urandom(_NONCE)
        return urlsafe_b64encode(nonce + self._wrapping.encrypt(nonce, os.urandom(_KEY), id_.encode())).decode()

    def seal(self, id_: str, key: str, data: bytes) -> bytes:
        """Return an object's content encrypted by its wrapped key; raises PipelineError as ``open``."""
        header, cipher = _MAGIC + os.urandom(_RANDOM), self._cipher(id_, key)
        last = last_chunk(len(data))
        chunks = (
            cipher.encrypt(_nonce(header, number, last=number == last), data[number * CHUNK :][:CHUNK], None)
            for number in range(last + 1)
        )
        return header + b"".join(chunks)

    def open(self, id_: str, key: str, sealed: bytes) -> bytes:
        """Return the content of a whole object.

        Raises:
            PipelineError: it was sealed by another secret or key, or was changed.

        """
        body = sealed[HEADER:]
        last = max(0, -(-len(body) // (CHUNK + TAG)) - 1)
        return self.open_chunks(id_, key, sealed[:HEADER], body, first=0, last=last)

    def open_chunks(self, id_: str, key: str, header: bytes, body: bytes, *, first: int, last: int) -> bytes:
        """Return the content of chunks in a row from number ``first``, of an object whose last is ``last``.

        Raises:
            PipelineError: as ``open``.

        """
        cipher = self._cipher(id_, key)
        if len(header) != HEADER or not header.startswith(_MAGIC):
            raise _unreadable()
        try:
            opened = [
                cipher.decrypt(_nonce(header, number, last=number == last), chunk, None)
                for number, chunk in enumerate(_chunks(body), first)
            ]
        except InvalidTag as error:
            raise _unreadable() from error
        return b"".join(opened)

    def _cipher(self, id_: str, key: str) -> AESGCM:
        if self._wrapping is None:
            raise _unreadable()
        try:
            raw = urlsafe_b64decode(key.encode())
            return AESGCM(self._wrapping.decrypt(raw[:_NONCE], raw[_NONCE:], id_.encode()))
        except (InvalidTag, ValueError) as error:
            raise _unreadable() from error


def _wrapping(secret: str) -> AESGCM | None:
    if not secret:
        return None
    return AESGCM(HKDF(SHA256(), _KEY, salt=None, info=b"voicebackend records").derive(secret.encode()))


def last_chunk(size: int) -> int:
    """Return the number of the last chunk of so many bytes of content; even of none there is one."""
    return max(0, -(-size // CHUNK) - 1)


def chunks_of(start: int, end: int) -> tuple[int, int, int]:
    """Return where a range of content lies: first chunk, and first and behind the last byte in the object, at most."""
    first, last = start // CHUNK, max(start, end - 1) // CHUNK
    return first, HEADER + first * (CHUNK + TAG), HEADER + (last + 1) * (CHUNK + TAG)


def sealed_size(size: int) -> int:
    """Return how many bytes so many bytes of content become."""
    return HEADER + size + TAG * (last_chunk(size) + 1)


def _chunks(body: bytes) -> Iterator[bytes]:
    return (body[at : at + CHUNK + TAG] for at in range(0, max(1, len(body)), CHUNK + TAG))


def _nonce(header: bytes, number: int, *, last: bool) -> bytes:
    return header[len(_MAGIC) :] + number.to_bytes(4, "big") + bytes([last])


def _unreadable() -> PipelineError:
    message = "a record cannot be decrypted: VOICEBACKEND_RECORDS_KEY is another than it was, or the object was changed"
    return PipelineError("records", message)
