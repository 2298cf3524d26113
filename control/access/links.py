"""Signed links: each opens one record for whoever has it, until it expires. No I/O."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import jwt

from voicebackend.errors import AuthorizationFailed

MAX_BYTES = 2048
_ALGORITHM, _AUDIENCE = "HS256", "record"
_OP = "links"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a good link says."""

    id: str
    """Names it in the audit."""
    record: str
    tenant: str
    expires_at: int
    """Seconds since the epoch."""

    @classmethod
    def to(cls, record: str, tenant: str, expires_at: int) -> Link:
        """Return a new link."""
        return cls(id=secrets.token_hex(8), record=record, tenant=tenant, expires_at=expires_at)


class LinkSigner:
    """Signs and checks links by the deployment's secret; what it signs is good for nothing else."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def sign(self, link: Link) -> str:
        """Return the token of a link."""
        claims = {
            "aud": _AUDIENCE,
            "jti": link.id,
            "sub": link.record,
            "tenant": link.tenant,
            "exp": link.expires_at,
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def check(self, token: str, record: str) -> Link:
        """Return the link that we signed for this record, expired or not; signatures are compared in constant time.

        Raises:
            AuthorizationFailed: we signed no such link.

        """
        refused = AuthorizationFailed(_OP, "this is no link of ours to this record")
        if len(token.encode("utf-8", "replace")) > MAX_BYTES:
            raise refused
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["aud", "jti", "sub", "tenant", "exp"], "verify_exp": False},
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise refused from error
        if claims["sub"] != record:
            raise refused
        return Link(id=claims["jti"], record=record, tenant=claims["tenant"], expires_at=claims["exp"])
