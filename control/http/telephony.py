"""What signalling and the deployment's TelephonyHook say of a call; where that fails, the call goes on without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from control.session_services import SessionServices
from voicebackend.config import parse
from voicebackend.errors import InvalidConfig, VoiceBackendError
from voicebackend.hooks import HookFailed, TelephonyHook, ask
from voicebackend.session import SessionRequest

logger = logging.getLogger(__name__)

HOOK_S = 2.0
"""Seconds that the hook has for an answer."""


SIGNALLED = ("carrier", "trunk", "phone_number", "said", "attestation")
"""What the register tells of a call; ``said`` can be forged."""


async def routed(services: SessionServices, tenant: str, request: SessionRequest) -> SessionRequest:
    """Return a request for a telephone call as the hook routes it: ``phone_number`` and ``call_id`` are its metadata.

    The hook names a target of the routing table or a provider. What the request says of the call stays as it is; what
    its carrier told, if it is a call of this tenant's, and then what the hook knows beyond, is added.
    """
    hook, changes = services.hooks.find("telephony_hook"), dict[str, Any]()
    number, call_id = request.metadata.get("phone_number"), request.metadata.get("call_id")
    if isinstance(number, str) and number:
        name = await provider_of(hook, number, request.metadata)
        targets = {} if services.switchboard is None else services.switchboard.routes.table.targets
        if target := targets.get(name):
            changes = {"provider": target.provider, "agent": request.agent or target.agent or None}
        elif name:
            changes = {"provider": name}
    known: dict[str, Any] = {}
    if isinstance(call_id, str) and call_id:
        known = {**await _signalled(services, tenant, call_id), **await known_of(hook, call_id)}
    return request.model_copy(update={**changes, "metadata": {**known, **request.metadata}})


async def _signalled(services: SessionServices, tenant: str, call_id: str) -> dict[str, Any]:
    """Return what a call's carrier told; nothing if it is not known, or Redis not there."""
    if services.desk is None:
        return {}
    try:
        found = await services.desk.known.find(tenant, call_id)
    except VoiceBackendError as error:
        logger.warning("call not looked up", extra={"error_code": str(error.code)})
        return {}
    return {name: found[name] for name in SIGNALLED if name in found}


async def provider_of(
    hook: TelephonyHook | None, number: str, metadata: Mapping[str, Any], *, timeout_s: float = HOOK_S
) -> str:
    """Return where the hook routes a call; empty where it has nothing to say, in time."""
    if hook is None:
        return ""
    return str(await _or_default(lambda: hook.route_call(number, dict(metadata)), "route_call", "", timeout_s))


async def known_of(hook: TelephonyHook | None, call_id: str, *, timeout_s: float = HOOK_S) -> dict[str, Any]:
    """Return what the hook knows of a call, as JSON; nothing where it fails."""
    if hook is None:
        return {}
    return _json(await _or_default(lambda: hook.call_metadata(call_id), "call_metadata", {}, timeout_s))


def _json(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the hook knows if it is JSON, as a session's metadata must be, else nothing."""
    try:
        return parse(dict[str, JsonValue], dict(known), op="call_metadata")
    except InvalidConfig as error:
        logger.error("hook answered with metadata that is not JSON", extra=error.details)  # noqa: TRY400 - shows values
        return {}


async def _or_default(call: Callable[[], Any], name: str, default: Any, timeout_s: float) -> Any:
    expected = Mapping if isinstance(default, dict) else type(default)
    try:
        return await ask(call, hook=f"telephony_hook.{name}", expected=expected, timeout_s=timeout_s)
    except HookFailed:
        return default
