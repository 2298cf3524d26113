"""API keys: known by digest, compared in constant time, of one tenant each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from control.access.auth import ApiKeys, Principal, authenticate, authorize, bearer
from voicebackend.errors import AuthenticationFailed, AuthorizationFailed
from voicebackend.hooks import AuthResult

KEYS = ApiKeys({"key-of-acme-0123456789": "acme", "key-of-other-012345678": "other"})


@pytest.mark.parametrize("header", ["Bearer key-of-acme-0123456789", "bearer  key-of-acme-0123456789 "])
async def test_a_key_names_its_tenant_and_never_itself(header: str) -> None:
    """The user id tells keys apart without giving one away."""
    principal = await authenticate(header, KEYS, None, {})
    assert principal.tenant == "acme"
    assert "acme-0123456789" not in principal.user_id
    assert "key-of-acme" not in repr(vars(KEYS))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Token abc", "Bearer " + "x" * 9000])
def test_a_header_without_a_key_is_refused(header: str) -> None:
    """Another scheme, nothing, or far too much."""
    with pytest.raises(AuthenticationFailed):
        bearer(header)


@pytest.mark.parametrize("key", ["key-of-acme-012345678", "KEY-OF-ACME-0123456789", "é", "\udcff", "key"])
def test_only_the_whole_key_will_do(key: str) -> None:
    """No prefix, no other case, no odd characters."""
    with pytest.raises(AuthenticationFailed):
        KEYS.find(key)


def test_without_keys_nobody_gets_in() -> None:
    """An empty list is not an open door."""
    with pytest.raises(AuthenticationFailed):
        ApiKeys({}).find("")


@pytest.mark.parametrize("operation", ["config.get", "config.update"])
async def test_without_a_hook_only_the_operators_tenant_configures(operation: str) -> None:
    """The configuration is every tenant's; sessions are one's own."""
    operator, acme = Principal(tenant="default", user_id="key-1"), Principal(tenant="acme", user_id="key-2")
    await authorize(operator, operation, None)
    await authorize(acme, "sessions.create", None)
    with pytest.raises(AuthorizationFailed):
        await authorize(acme, operation, None)


class Plain:
    """An AuthHook whose methods are no coroutine functions."""

    def authenticate(self, token: str, metadata: Mapping[str, Any]) -> Any:
        if token == "raises":
            raise RuntimeError
        return AuthResult(user_id=token, authorized=True)

    def authorize(self, user_id: str, operation: str) -> Any:
        if user_id == "boom":
            raise RuntimeError
        return True


async def test_a_plain_auth_hook_is_asked_too_and_denies_when_it_raises() -> None:
    """An answer need not be awaited; an error is a no."""
    hook: Any = Plain()
    ada, boom = [await authenticate(f"Bearer {name}", KEYS, hook, {}) for name in ("ada", "boom")]
    await authorize(ada, "sessions.create", hook)
    with pytest.raises(AuthorizationFailed):
        await authorize(boom, "sessions.create", hook)
    with pytest.raises(AuthenticationFailed):
        await authenticate("Bearer raises", KEYS, hook, {})
