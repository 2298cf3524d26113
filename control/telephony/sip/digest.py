"""Digest (RFC 8760): whether who calls knows the trunk's secret. Nonces carry their time; counts stop replays."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from control.telephony.sip import library
from control.telephony.sip.message import Request
from control.telephony.sip.trunks import TrunkAccess

REALM = "voicebackend"
NONCE_S = 30
"""Seconds that a nonce is good."""
MAX_NONCES = 10_000
_PART = re.compile(r'\s*([A-Za-z0-9_-]{1,32})\s*=\s*(?:"([^"\\]{0,512})"|([^\s,"]{1,512}))\s*(?:,|\Z)')
_HASHES: Mapping[str, str] = MappingProxyType({"SHA-256": "sha256", "MD5": "md5"})
_COUNT = re.compile(r"[0-9a-fA-F]{8}")


class Verdict(StrEnum):
    """What became of credentials."""

    GOOD = "good"
    ANSWERS = "answers"
    """They are good, and the first with their nonce: they answer what was asked."""
    NONE = "none"
    """There are none, or wrong ones."""
    STALE = "stale"
    """They are right, for a nonce that is too old or was used so before."""


class Digest:
    """Asks for credentials, and judges them."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def challenges(self, access: TrunkAccess, now: float, *, stale: bool = False) -> tuple[tuple[str, str], ...]:
        """Return the headers that ask a trunk."""
        nonce, end = self._nonce(int(now), secrets.token_hex(8)), ", stale=true" if stale else ""
        ask = f'Digest realm="{REALM}", nonce="{nonce}", qop="auth"'
        return tuple(("WWW-Authenticate", f"{ask}, algorithm={name}{end}") for name in access.digests)

    def judge(self, request: Request, access: TrunkAccess, now: float) -> Verdict:
        """Judge a request's credentials: each may be used once."""
        for value in request.headers.all("authorization"):
            parts = _parts(value)
            if parts and self._is_right(parts, request, access):
                return self._spend(parts, now)
        return Verdict.NONE

    def _is_right(self, parts: dict[str, str], request: Request, access: TrunkAccess) -> bool:
        """Tell whether who made these knows the secret, and meant this request.

        Proxies may have written another host into its address (RFC 3261, 22.4), but nobody else whom it calls.
        """
        said, uri, user = parts.get("algorithm", "MD5").upper(), parts.get("uri", ""), access.user
        name = _HASHES.get(said) if said in access.digests else None
        counted = parts.get("qop", "").lower() == "auth" and _COUNT.fullmatch(parts.get("nc", ""))
        if name is None or not counted or parts.get("realm") != REALM or not library.is_of_user(uri, request.called):
            return False
        first = _hashed(name, user, REALM, access.secret)
        second = _hashed(name, request.method, uri)
        rest = (parts.get("nonce", ""), parts["nc"], parts.get("cnonce", ""), parts["qop"], second)
        expected = _hashed(name, first, *rest)
        same_user = hmac.compare_digest(parts.get("username", "").encode(), user.encode())
        return hmac.compare_digest(parts.get("response", "").lower().encode(), expected.encode()) and same_user

    def _spend(self, parts: dict[str, str], now: float) -> Verdict:
        """Judge right credentials: the nonce must be ours and young, and its count higher than all before."""
        nonce, count = parts["nonce"], int(parts["nc"], 16)
        made, _, rest = nonce.partition("-")
        if not (made.isascii() and made.isdigit() and len(made) <= 12):  # noqa: PLR2004
            return Verdict.STALE
        if not hmac.compare_digest(nonce.encode(), self._nonce(int(made), rest.partition("-")[0]).encode()):
            return Verdict.STALE
        if not int(made) - 1 <= now < int(made) + NONCE_S:
            return Verdict.STALE
        self._drop_old(now)
        _, before = self._counts.get(nonce, (0.0, 0))
        if count <= before or (nonce not in self._counts and len(self._counts) >= MAX_NONCES):
            return Verdict.STALE
        self._counts[nonce] = (int(made) + NONCE_S, count)
        return Verdict.GOOD if before else Verdict.ANSWERS

    def _drop_old(self, now: float) -> None:
        while self._counts and next(iter(self._counts.values()))[0] <= now:
            self._counts.popitem(last=False)

    def _nonce(self, made: int, own: str) -> str:
        """Return the nonce of one challenge: were it that of a second, its callers would be each other's replays."""
        told = f"{made}-{own}"
        return f"{told}-{hmac.new(self._secret, f'nonce {told}'.encode(), 'sha256').hexdigest()[:32]}"


def _parts(value: str) -> dict[str, str]:
    """Return the parts of credentials by their names in small letters; none where they are not written as they must."""
    scheme, _, rest = value.strip().partition(" ")
    parts: dict[str, str] = {}
    at = 0
    if scheme.lower() != "digest":
        return {}
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None or found[1].lower() in parts:
            return {}
        parts[found[1].lower()] = found[2] if found[2] is not None else found[3]
        at = found.end()
    return parts


def _hashed(name: str, *parts: str) -> str:
    return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()
