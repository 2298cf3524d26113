"""Whether a webhook comes from the carrier that it says: each carrier's own signature, checked in constant time. Pure.

Every check returns False for what is missing or malformed, and never raises: a forged request is no error of ours.
URLs are those under which the carrier reaches us, from the deployment's ``public_url``; never from the request's Host.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from voicebackend.errors import InvalidConfig

MAX_AGE_S = 300.0
"""Seconds that a signed time may differ from ours."""
_TWILIO = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}

Form = Sequence[tuple[str, str]]
"""Parameters in the order in which they came; names may repeat."""


def twilio(token: str, url: str, form: Form, signature: str, *, settings: str = "", body: bytes = b"") -> bool:
    """Tell whether ``X-Twilio-Signature`` is good: HMAC over URL and sorted form, or over a URL with ``bodySHA256``.

    ``settings`` is ``X-Twilio-Webhooks-Signature-Settings``, which names SHA-256 in the place of SHA-1.
    """
    algorithm = _TWILIO.get(dict(parse_qsl(settings.replace(",", "&"))).get("algorithm", "HMAC_SHA1"))
    if algorithm is None:
        return False
    expected_body = dict(parse_qsl(urlsplit(url).query)).get("bodySHA256")
    if expected_body is not None and not _same(expected_body, sha256(body).hexdigest()):
        return False
    signed = "".join(name + value for name, value in sorted(set(form)))
    return any(_same(signature, _digest(token, tried + signed, algorithm)) for tried in _with_and_without_port(url))


def plivo(token: str, url: str, form: Form, *, method: str, signatures: str, nonce: str) -> bool:
    """Tell whether one of ``X-Plivo-Signature-V3`` is good: HMAC-SHA256 over URL, sorted parameters and nonce."""
    if not nonce:
        return False
    parts = urlsplit(url)
    query = sorted(parse_qsl(parts.query, keep_blank_values=True))
    base = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    signed = base + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")
    if method.upper() == "POST" and form:
        signed += ("." if query else "?") + "".join(name + value for name, value in sorted(form))
    expected = _digest(token, f"{signed}.{nonce}", "sha256")
    return any(_same(one.strip(), expected) for one in signatures.split(",")[:8])


def telnyx(public_key: str, body: bytes, signature: str, timestamp: str, *, now: float) -> bool:
    """Tell whether ``telnyx-signature-ed25519`` is good over timestamp and body, and not older than ``MAX_AGE_S``.

    Raises:
        InvalidConfig: as ``telnyx_key``.

    """
    key = telnyx_key(public_key)
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp[:16])) > MAX_AGE_S:
        return False
    try:
        key.verify(b64decode(signature, validate=True), timestamp.encode() + b"|" + body)
    except (InvalidSignature, ValueError):
        return False
    return True


def telnyx_key(public_key: str) -> Ed25519PublicKey:
    """Return the key with which Telnyx' signatures are checked.

    Raises:
        InvalidConfig: it is none.

    """
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(public_key, validate=True))
    except ValueError as error:
        raise InvalidConfig("telnyx", "the public key is not one", details={"field": "public_key"}) from error


def vonage(secret: str, authorization: str, body: bytes, *, now: float) -> bool:
    """Tell whether a signed webhook's bearer token is good and of these minutes, its ``payload_hash`` the body's."""
    token = authorization.removeprefix("Bearer ").strip()
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            leeway=60,
            options={"require": ["iat"], "verify_aud": False, "verify_iat": False},
        )
    except (jwt.InvalidTokenError, ValueError):  # a token that is not ASCII cannot even be encoded
        return False
    issued = claims["iat"]
    if not isinstance(issued, (int, float)) or not abs(now - issued) <= MAX_AGE_S:
        return False
    told = claims.get("payload_hash")
    return not body or (isinstance(told, str) and _same(told, sha256(body).hexdigest()))


def _digest(key: str, text: str, algorithm: str) -> str:
    """Return an HMAC in base64, also of a text that cannot be encoded: nobody has signed that."""
    return b64encode(hmac.digest(key.encode(), text.encode("utf-8", "replace"), algorithm)).decode()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _with_and_without_port(url: str) -> tuple[str, ...]:
    """Return a URL as it is, and with its scheme's own port added or left out: carriers sign either."""
    parts = urlsplit(url)
    usual = {"https": 443, "wss": 443, "http": 80, "ws": 80}.get(parts.scheme)
    if usual is None or not parts.hostname:
        return (url,)
    if parts.port == usual:
        other = parts.netloc.removesuffix(f":{usual}")
    elif parts.port is None:
        other = f"{parts.netloc}:{usual}"
    else:
        return (url,)
    return url, urlunsplit((parts.scheme, other, parts.path, parts.query, parts.fragment))
