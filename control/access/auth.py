"""Who is asking, and may they: API keys by default, the deployment's AuthHook instead where one is configured."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from control.access.key_store import KeyStore
from control.access.principal import OPERATOR, Principal
from control.access.scopes import owner_of
from voicebackend.api_keys import holds
from voicebackend.errors import AuthenticationFailed, AuthorizationFailed
from voicebackend.hooks import AuthHook, AuthResult, HookFailed, ask

_SCHEME = "bearer "
_MAX_KEY_CHARS = 8192


class ApiKeys:
    """Knows the deployment's own keys by their digests only, and those that were made since by ``stored``."""

    def __init__(self, tenants: Mapping[str, str], stored: KeyStore | None = None) -> None:
        self._tenants = [(_digest(key), tenant) for key, tenant in tenants.items()]
        self._stored = stored

    async def find(self, key: str) -> Principal:
        """Return whose key this is, in a time that does not depend on which.

        Raises:
            AuthenticationFailed: nobody's.
            ConnectionFailed: whose it is stands in Redis, and that does not answer.

        """
        digest = _digest(key)
        found = [tenant for known, tenant in self._tenants if hmac.compare_digest(known, digest)]
        if not found and self._stored is not None:
            return await self._stored.find(key)
        if not found:
            raise AuthenticationFailed("authenticate", "the API key is not known")
        return Principal(tenant=found[0], user_id=f"key-{digest.hex()[:12]}")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


def bearer(header: str) -> str:
    """Return the key of an Authorization header.

    Raises:
        AuthenticationFailed: there is none, or it is of another scheme.

    """
    key = header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else ""
    if not key or len(key) > _MAX_KEY_CHARS:
        raise AuthenticationFailed("authenticate", "send the header 'Authorization: Bearer <API key>'")
    return key


async def authenticate(header: str, keys: ApiKeys, hook: AuthHook | None, about: Mapping[str, Any]) -> Principal:
    """Return who sends this Authorization header; the hook, if there is one, takes the keys' place.

    Raises:
        AuthenticationFailed: nobody we know, or the hook failed.

    """
    key = bearer(header)
    if hook is None:
        return await keys.find(key)
    try:
        result = await ask(lambda: hook.authenticate(key, about), hook="auth_hook.authenticate", expected=AuthResult)
    except HookFailed as error:
        raise AuthenticationFailed("authenticate", "the key could not be checked") from error
    if result.authorized is not True:
        raise AuthenticationFailed("authenticate", "the key is not accepted")
    return Principal(tenant=str(result.tenant), user_id=str(result.user_id), metadata=result.metadata)


async def authorize(principal: Principal, operation: str, scope: str, hook: AuthHook | None) -> None:
    """Return if they may do this with what it is about.

    Without a hook, a key may do within its tenant what its scopes say; what is everyone's is the operator's.

    Raises:
        AuthorizationFailed: they may not, or the hook failed.

    """
    owner = owner_of(operation, principal.tenant)
    if hook is None:
        if owner != principal.tenant:
            raise AuthorizationFailed("authorize", f"not permitted: {operation} is for keys of tenant {OPERATOR}")
        if not holds(principal.scopes, scope):
            raise AuthorizationFailed("authorize", f"not permitted: the key has no scope {scope}")
        return
    about = AuthResult(user_id=principal.user_id, authorized=True, tenant=principal.tenant, metadata=principal.metadata)
    try:
        allowed = await ask(lambda: hook.authorize(about, operation, owner), hook="auth_hook.authorize", expected=bool)
    except HookFailed as error:
        raise AuthorizationFailed("authorize", "the permission could not be checked") from error
    if not allowed:
        raise AuthorizationFailed("authorize", f"not permitted: {operation}")
