"""``/v1/keys``: a tenant's API keys: made, listed, rotated, revoked. A secret is only in the answer that makes it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aiohttp import web

from control.access.key_store import KeyStore, new_key
from control.access.principal import OPERATOR, Principal
from control.http.bodies import read_model
from control.http.routes.sessions import answer
from control.http.routing import Parameter, Route
from control.records.audit import Action
from control.services import PRINCIPAL, SERVICES
from voicebackend.api_keys import KeyIssued, KeyList, KeyView, KeyWanted, Rotation, holds
from voicebackend.errors import AuthorizationFailed, ErrorCode, InvalidConfig
from voicebackend.hooks import AuthHook

logger = logging.getLogger(__name__)

_OP = "api_keys"
_UNSEEN = {"Cache-Control": "no-store"}
"""For an answer with a secret: nobody on its way may keep it."""


def _store(request: web.Request) -> KeyStore:
    services = request.app[SERVICES]
    hook: AuthHook | None = services.hooks.find("auth_hook")
    if hook is not None:
        message = "an auth_hook takes the place of API keys here: let it make the keys that it accepts"
        raise InvalidConfig(_OP, message, details={"field": "auth_hook"})
    return services.key_store


def _tenant(principal: Principal, wanted: str | None) -> str:
    """Return the tenant whose keys are meant; another than one's own is for the operator."""
    if wanted in {None, principal.tenant}:
        return principal.tenant
    if principal.tenant != OPERATOR:
        raise AuthorizationFailed(_OP, "not permitted: another tenant's keys are for the operator")
    return str(wanted)


async def create(request: web.Request) -> web.Response:
    """Make a key that may do no more than the one that asks."""
    store, principal = _store(request), request[PRINCIPAL]
    wanted = await read_model(request, KeyWanted, op=_OP)
    _check_scopes(principal, wanted.scopes)
    key = new_key(wanted.name, _tenant(principal, wanted.tenant), wanted.scopes)
    await _note(request, Action.KEY_MADE, key)
    return answer(await store.create(key), status=201, headers=_UNSEEN)


async def _note(request: web.Request, action: Action, key: KeyView, *, of: str = "") -> None:
    """Have it in the log, and in the audit of the key's tenant where one is kept, before it is done."""
    about, by = f"{of}key-{key.id} {' '.join(sorted(key.scopes))}", request[PRINCIPAL].user_id
    cabinet = request.app[SERVICES].cabinet
    if cabinet is not None:
        await cabinet.audit.note(key.tenant, by=by, action=action, about=about)
    logger.info("API key dealt with", extra={"action": action.value, "about": about, "tenant": key.tenant, "by": by})


def _check_scopes(principal: Principal, scopes: Sequence[str]) -> None:
    beyond = [scope for scope in scopes if not holds(principal.scopes, scope)]
    if beyond:
        raise AuthorizationFailed(_OP, f"not permitted: the key that asks has no scope {beyond[0]}")


async def list_(request: web.Request) -> web.Response:
    """List the keys that open, oldest first."""
    store = _store(request)
    return answer(KeyList(keys=await store.of(_tenant(request[PRINCIPAL], request.query.get("tenant")))))


async def rotate(request: web.Request) -> web.Response:
    """Make a key in the place of one, which goes on opening for a while."""
    store, principal = _store(request), request[PRINCIPAL]
    wanted = await read_model(request, Rotation, op=_OP) if request.can_read_body else Rotation()
    tenant = _tenant(principal, request.query.get("tenant"))
    old = await store.get(request.match_info["key_id"], tenant)
    _check_scopes(principal, old.scopes)
    new = new_key(old.name, tenant, old.scopes)
    await _note(request, Action.KEY_ROTATED, new, of=f"key-{old.id} ")
    return answer(await store.create(new, before=old.id, grace_s=wanted.grace), status=201, headers=_UNSEEN)


async def revoke(request: web.Request) -> web.Response:
    """Have a key open no more, from the next request on."""
    store, tenant = _store(request), _tenant(request[PRINCIPAL], request.query.get("tenant"))
    key = await store.get(request.match_info["key_id"], tenant)
    await _note(request, Action.KEY_REVOKED, key)
    await store.revoke(key.id, tenant)
    return web.Response(status=204)


_E = ErrorCode
_ERRORS = (_E.INVALID_CONFIG, _E.AUTHORIZATION_FAILED, _E.CONNECTION_FAILED)
_TENANT = (Parameter(name="tenant", about="another tenant than one's own; for operators"),)
ROUTES = [
    Route(
        method="POST",
        path="/v1/keys",
        operation="api_keys.create",
        handler=create,
        about="Make an API key; its secret is in this answer only",
        body=KeyWanted,
        answers={201: KeyIssued},
        errors=(*_ERRORS, _E.INVALID_FORMAT, _E.SESSION_LIMIT_EXCEEDED),
    ),
    Route(
        method="GET",
        path="/v1/keys",
        operation="api_keys.list",
        handler=list_,
        about="The API keys that open, oldest first, without their secrets",
        answers={200: KeyList},
        errors=_ERRORS,
        parameters=_TENANT,
    ),
    Route(
        method="POST",
        path="/v1/keys/{key_id}/rotate",
        operation="api_keys.rotate",
        handler=rotate,
        about="Make a key in the place of one, which goes on opening for `grace` seconds",
        body=Rotation,
        answers={201: KeyIssued},
        errors=(*_ERRORS, _E.INVALID_FORMAT, _E.SESSION_NOT_FOUND, _E.SESSION_LIMIT_EXCEEDED),
        parameters=_TENANT,
    ),
    Route(
        method="DELETE",
        path="/v1/keys/{key_id}",
        operation="api_keys.revoke",
        handler=revoke,
        about="Have an API key open no more, from the next request on",
        answers={204: None},
        errors=(*_ERRORS, _E.SESSION_NOT_FOUND),
        parameters=_TENANT,
    ),
]
