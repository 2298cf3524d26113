"""API keys: known by digest, compared in constant time, of one tenant each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from control.access.auth import ApiKeys, authenticate, authorize, bearer
from control.access.principal import Principal
from control.access.scopes import AREAS, scope_of
from control.http.app import ALL_ROUTES
from control.http.routing import Route
from voicebackend.api_keys import SCOPES
from voicebackend.errors import AuthenticationFailed, AuthorizationFailed
from voicebackend.hooks import AuthResult, auth_hook_of

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
async def test_only_the_whole_key_will_do(key: str) -> None:
    """No prefix, no other case, no odd characters."""
    with pytest.raises(AuthenticationFailed):
        await KEYS.find(key)


async def test_without_keys_nobody_gets_in() -> None:
    """An empty list is not an open door."""
    with pytest.raises(AuthenticationFailed):
        await ApiKeys({}).find("")


@pytest.mark.parametrize("operation", ["config.get", "config.update"])
async def test_without_a_hook_only_the_operators_tenant_configures(operation: str) -> None:
    """The configuration is every tenant's; sessions are one's own."""
    operator, acme = Principal(tenant="default", user_id="key-1"), Principal(tenant="acme", user_id="key-2")
    await authorize(operator, operation, "config:write", None)
    await authorize(acme, "sessions.create", "sessions:write", None)
    with pytest.raises(AuthorizationFailed):
        await authorize(acme, operation, "config:write", None)


class Plain:
    """An AuthHook whose methods are no coroutine functions."""

    def authenticate(self, token: str, metadata: Mapping[str, Any]) -> Any:
        if token == "raises":
            raise RuntimeError
        return AuthResult(user_id=token, authorized=True)

    def authorize(self, principal: AuthResult, action: str, tenant: str) -> Any:
        if principal.user_id == "boom":
            raise RuntimeError
        return True


async def test_a_plain_auth_hook_is_asked_too_and_denies_when_it_raises() -> None:
    """An answer need not be awaited; an error is a no."""
    hook: Any = Plain()
    ada, boom = [await authenticate(f"Bearer {name}", KEYS, hook, {}) for name in ("ada", "boom")]
    await authorize(ada, "sessions.create", "sessions:write", hook)
    with pytest.raises(AuthorizationFailed):
        await authorize(boom, "sessions.create", "sessions:write", hook)
    with pytest.raises(AuthenticationFailed):
        await authenticate("Bearer raises", KEYS, hook, {})


class Told:
    """An AuthHook that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> AuthResult:
        return AuthResult(user_id=token, authorized=True, tenant="acme", metadata={"team": "a"})

    async def authorize(self, principal: AuthResult, action: str, tenant: str) -> bool:
        self.told.append((principal.user_id, principal.tenant, dict(principal.metadata), action, tenant))
        return tenant == principal.tenant


async def test_an_auth_hook_is_told_who_does_what_with_whose() -> None:
    """Principal, action, and the tenant of what it is about: for what is everyone's, the operator."""
    hook: Any = Told()
    ada = await authenticate("Bearer ada", KEYS, hook, {})
    await authorize(ada, "sessions.get", "sessions:read", hook)
    with pytest.raises(AuthorizationFailed):
        await authorize(ada, "config.get", "config:read", hook)
    who = ("ada", "acme", {"team": "a"})
    assert hook.told == [(*who, "sessions.get", "acme"), (*who, "config.get", "default")]


class Earlier:
    """An AuthHook that decides by the user and the action alone."""

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> AuthResult:
        return AuthResult(user_id=token, authorized=True)

    async def authorize(self, user_id: str, operation: str) -> bool:
        return (user_id, operation) == ("ada", "sessions.get")


async def test_an_auth_hook_that_takes_two_arguments_is_asked_so() -> None:
    """What was written before tenants were told goes on deciding."""
    hook = auth_hook_of(Earlier())
    ada = await authenticate("Bearer ada", KEYS, hook, {})
    await authorize(ada, "sessions.get", "sessions:read", hook)
    with pytest.raises(AuthorizationFailed):
        await authorize(ada, "sessions.create", "sessions:write", hook)
    asked_in_full: Any = Told()
    assert auth_hook_of(asked_in_full) is asked_in_full


@pytest.mark.parametrize(
    ("scopes", "allowed", "refused"),
    [
        ({"*"}, {"sessions:write", "keys:read"}, set()),
        ({"sessions:read"}, {"sessions:read"}, {"sessions:write", "calls:read"}),
        ({"sessions:write"}, {"sessions:read", "sessions:write"}, {"keys:write", "config:read"}),
        (set(), set(), {"sessions:read"}),
    ],
)
async def test_a_key_may_do_what_its_scopes_say(scopes: set[str], allowed: set[str], refused: set[str]) -> None:
    """To write holds to read; nothing else follows from anything."""
    asking = Principal(tenant="acme", user_id="key-1", scopes=frozenset(scopes))
    for scope in allowed:
        await authorize(asking, "sessions.get", scope, None)
    for scope in refused:
        with pytest.raises(AuthorizationFailed, match=scope):
            await authorize(asking, "sessions.get", scope, None)


@pytest.mark.parametrize(
    "route", [route for route in ALL_ROUTES if not route.public], ids=lambda route: route.operation
)
def test_every_route_needs_a_scope_that_exists(route: Route) -> None:
    """A route whose area nobody named would be refused to nobody, or everybody."""
    assert scope_of(route.operation, route.method) in SCOPES
    assert set(AREAS.values()) == {scope.partition(":")[0] for scope in SCOPES} - {"*"}
