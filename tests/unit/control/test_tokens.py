"""Tokens: each opens one session's socket once, in time, and nothing else."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from fakeredis import FakeAsyncRedis

from control.access.tokens import MAX_TOKEN_S, Audience, Claims, Tokens, TokenSigner
from voicebackend.deployment_secret import token_secret
from voicebackend.errors import AuthenticationFailed
from voicebackend.keys import Keys
from voicebackend.settings import Deployment

SECRET = "a-secret-that-is-long-enough-for-every-algorithm-there-is-of-this-family"
SESSION = "a" * 32
SIGNER = TokenSigner(SECRET)


@pytest.fixture
async def redis() -> AsyncIterator[FakeAsyncRedis]:
    """Give a Redis of the test's own."""
    async with FakeAsyncRedis(version=(6, 2)) as client:
        yield client


@pytest.fixture
def tokens(redis: FakeAsyncRedis) -> Tokens:
    """Give the tokens on it."""
    return Tokens(redis, Keys(), SIGNER)


def payload(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good session token, changed; None leaves one out."""
    now = int(time.time())
    good = {"aud": "media", "sub": SESSION, "tenant": "t", "jti": "j", "iat": now, "exp": now + 60}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def unsigned(claims: dict[str, Any]) -> str:
    """Return a token with algorithm ``none``."""
    parts = [json.dumps({"alg": "none", "typ": "JWT"}), json.dumps(claims)]
    return ".".join([base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts]) + "."


def test_a_signed_token_reads_back() -> None:
    """What went in comes out."""
    now = time.time()
    claims = Claims(audience=Audience.MEDIA, session=SESSION, tenant="t", token_id="j", expires_at=float(int(now) + 60))
    assert SIGNER.check(SIGNER.sign(claims, now=now), Audience.MEDIA, SESSION) == claims


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": -3540, "iat": -3600},
        {"iat": 600, "exp": 660},
        {"exp": MAX_TOKEN_S + 60},
        {"sub": "b" * 32},
        {"aud": "resume"},
        {"aud": ["resume"]},
        *({claim: None} for claim in ("aud", "sub", "tenant", "jti", "iat", "exp")),
        {"exp": "soon"},
    ],
    ids=str,
)
def test_a_token_that_is_not_quite_right_is_none(changes: dict[str, Any]) -> None:
    """Expired, from the future, too long-lived, foreign, for another use, or with something missing."""
    now = int(time.time())
    claims = {name: now + value if isinstance(value, int) else value for name, value in changes.items()}
    token = jwt.encode(payload(**claims), SECRET, "HS256")
    with pytest.raises(AuthenticationFailed):
        SIGNER.check(token, Audience.MEDIA, SESSION)


@pytest.mark.parametrize(
    "token",
    [
        unsigned(payload()),
        jwt.encode(payload(), SECRET, "HS512"),
        jwt.encode(payload(), "another-secret-of-thirty-two-bytes!", "HS256"),
        jwt.encode(payload(), SECRET, "HS256")[:-4] + "AAAA",
        "",
        "a.b.c",
        "é" * 100,
        "x" * 5000,
    ],
    ids=["none", "another algorithm", "another secret", "tampered", "empty", "garbage", "no ASCII", "too long"],
)
def test_a_token_that_we_did_not_sign_is_none(token: str) -> None:
    """Whatever it claims."""
    with pytest.raises(AuthenticationFailed):
        SIGNER.check(token, Audience.MEDIA, SESSION)


async def test_a_session_token_is_spent_once(tokens: Tokens, redis: FakeAsyncRedis) -> None:
    """The second use is refused, by check and by spend; every key expires."""
    token = tokens.issue(SESSION, "t")
    claims = await tokens.check(token, Audience.MEDIA, SESSION)
    assert await redis.keys() == []
    await tokens.spend(claims)
    with pytest.raises(AuthenticationFailed):
        await tokens.check(token, Audience.MEDIA, SESSION)
    with pytest.raises(AuthenticationFailed):
        await tokens.spend(claims)
    assert all([await redis.ttl(key) > 0 for key in await redis.keys()])


async def test_only_the_last_resume_token_is_good(tokens: Tokens) -> None:
    """Each use brings the next; a session token's use replaces it too."""
    first = await tokens.spend(await tokens.check(tokens.issue(SESSION, "t"), Audience.MEDIA, SESSION))
    claims = await tokens.check(first, Audience.RESUME, SESSION)
    second = await tokens.spend(claims)
    with pytest.raises(AuthenticationFailed):
        await tokens.spend(claims)
    with pytest.raises(AuthenticationFailed):
        await tokens.check(first, Audience.RESUME, SESSION)
    with pytest.raises(AuthenticationFailed):
        await tokens.check(second, Audience.MEDIA, SESSION)
    await tokens.spend(await tokens.check(tokens.issue(SESSION, "t"), Audience.MEDIA, SESSION))
    with pytest.raises(AuthenticationFailed):
        await tokens.check(second, Audience.RESUME, SESSION)


async def test_the_deployment_makes_a_secret_once(redis: FakeAsyncRedis) -> None:
    """Two processes sign with the same; one that is configured is used as it is."""
    made = await token_secret(redis, Deployment())
    assert made == await token_secret(redis, Deployment())
    assert len(made) >= 32
    assert await token_secret(redis, Deployment(token_secret=SECRET)) == SECRET
