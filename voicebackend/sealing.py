"""What callers type, sealed on its way between processes: Redis keeps its arguments longer than anybody wants."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voicebackend.errors import InvalidFormat

_NONCE_BYTES, _KEY_BYTES = 12, 32


class Seal:
    """One session's, the same in every process that knows the deployment's secret (AES-256-GCM, a key by HKDF).

    Pure but for the randomness of its nonces. Sealed texts are base64 of 28 bytes more than the text.
    """

    def __init__(self, secret: str, session: str) -> None:
        info = b"voicebackend keys of " + session.encode()
        self._cipher = AESGCM(HKDF(SHA256(), _KEY_BYTES, salt=None, info=info).derive(secret.encode()))

    def seal(self, text: str) -> str:
        """Return a text that nobody can read who does not know the secret."""
        nonce = os.urandom(_NONCE_BYTES)
        return urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), None)).decode()

    def open(self, sealed: str) -> str:
        """Return what was sealed.

        Raises:
            InvalidFormat: it was sealed for another session or by another secret, or is nothing sealed.

        """
        try:
            raw = urlsafe_b64decode(sealed.encode("ascii"))
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None).decode()
        except (InvalidTag, ValueError) as error:
            raise InvalidFormat("seal", "not sealed for this session, or by another secret") from error
