"""Tokens for a caller's socket: a session token opens it once, a resume token comes back to it.

Both are JWTs with one fixed algorithm. A session token lives a minute and is noted when it is spent; of a session's
resume tokens only the last one given out is good.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt
from redis.asyncio import Redis

from control.access.links import LinkSigner
from control.sessions.scripts import ROTATE
from voicebackend._redis import redis_errors
from voicebackend.errors import AuthenticationFailed
from voicebackend.keys import Keys
from voicebackend.record import LIVE_TTL_S
from voicebackend.sealing import Seal

TOKEN_S = 60
"""Seconds for which a session token may be used."""
MAX_TOKEN_S = 15 * 60
"""Seconds that a session token may live at most, whoever signed it."""
MAX_BYTES = 4096
_ALGORITHM = "HS256"
_LEEWAY_S = 2.0


class Audience(StrEnum):
    """What a token is for."""

    MEDIA = "media"
    """A session token."""
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a good token says."""

    audience: Audience
    session: str
    tenant: str
    token_id: str
    expires_at: float
    """Seconds since the epoch."""


class TokenSigner:
    """Signs and checks tokens; no I/O."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def seal_of(self, session: str) -> Seal:
        """Return the seal of what this session's caller types, by the same secret."""
        return Seal(self._secret, session)

    @property
    def links(self) -> LinkSigner:
        """What signs links to records, by the same secret."""
        return LinkSigner(self._secret)

    def sign(self, claims: Claims, *, now: float) -> str:
        """Return the token that says this."""
        payload = {
            "aud": claims.audience.value,
            "sub": claims.session,
            "tenant": claims.tenant,
            "jti": claims.token_id,
            "iat": int(now),
            "exp": int(claims.expires_at),
        }
        return jwt.encode(payload, self._secret, algorithm=_ALGORITHM)

    def check(self, token: str, audience: Audience, session: str) -> Claims:
        """Return what a token says if it is ours, in time, for this use and for this session.

        Raises:
            AuthenticationFailed: otherwise; it does not tell which.

        """
        if len(token.encode("utf-8", "replace")) > MAX_BYTES:
            raise AuthenticationFailed("token", "the token is too long")
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=audience.value,
                leeway=_LEEWAY_S,
                options={"require": ["aud", "sub", "tenant", "jti", "iat", "exp"]},
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise AuthenticationFailed("token") from error
        lasts = payload["exp"] - payload["iat"]
        if payload["sub"] != session or (audience is Audience.MEDIA and lasts > MAX_TOKEN_S):
            raise AuthenticationFailed("token")
        return Claims(
            audience=audience,
            session=session,
            tenant=str(payload["tenant"]),
            token_id=str(payload["jti"]),
            expires_at=float(payload["exp"]),
        )


class Tokens:
    """Issues tokens and sees that each is used once; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys, signer: TokenSigner) -> None:
        self._redis, self._keys, self._signer = redis, keys, signer
        self._rotate = redis.register_script(ROTATE)

    def seal_of(self, session: str) -> Seal:
        """Return the seal of what this session's caller types."""
        return self._signer.seal_of(session)

    @property
    def links(self) -> LinkSigner:
        """What signs links to records."""
        return self._signer.links

    def issue(self, session: str, tenant: str) -> str:
        """Return a fresh session token."""
        now = time.time()
        claims = _claims(Audience.MEDIA, session, tenant, now + TOKEN_S)
        return self._signer.sign(claims, now=now)

    async def check(self, token: str, audience: Audience, session: str) -> Claims:
        """Return what a token says if it could be spent now; writes nothing.

        Raises:
            AuthenticationFailed: it is not good, or was used before.

        """
        claims = self._signer.check(token, audience, session)
        with redis_errors("token"):
            if audience is Audience.MEDIA:
                spent = bool(await self._redis.exists(self._keys.used_token(claims.token_id)))
            else:
                spent = await self._redis.get(self._keys.resume(session)) != claims.token_id.encode()
        if spent:
            raise AuthenticationFailed("token")
        return claims

    async def spend(self, claims: Claims) -> str:
        """Use a checked token up, and return the resume token that is good from now on.

        Raises:
            AuthenticationFailed: someone else used it first.

        """
        now = time.time()
        following = _claims(Audience.RESUME, claims.session, claims.tenant, now + LIVE_TTL_S)
        media = claims.audience is Audience.MEDIA
        keys = [self._keys.used_token(claims.token_id), self._keys.resume(claims.session)]
        remains = max(1, round(claims.expires_at - now + 2 * _LEEWAY_S))
        expected = "" if media else claims.token_id
        with redis_errors("token"):
            done = await self._rotate(keys, [expected, following.token_id, LIVE_TTL_S, remains])
        if not done:
            raise AuthenticationFailed("token")
        return self._signer.sign(following, now=now)


def _claims(audience: Audience, session: str, tenant: str, expires_at: float) -> Claims:
    return Claims(
        audience=audience,
        session=session,
        tenant=tenant,
        token_id=secrets.token_urlsafe(16),
        expires_at=expires_at,
    )
