"""What the deployment's TelephonyHook says about a call; where it fails, the call goes on without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from voicebackend.config import parse
from voicebackend.errors import InvalidConfig
from voicebackend.hooks import HookFailed, TelephonyHook, ask

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRoute:
    """Where a call goes, and what is known of it."""

    provider: str
    """Empty leaves the choice to request and configuration."""
    metadata: dict[str, Any]


async def route(hook: TelephonyHook | None, metadata: Mapping[str, Any]) -> CallRoute:
    """Ask the hook about the call with this metadata: ``phone_number`` is routed, ``call_id`` looked up.

    What the request says of the call stays as it is; what the hook knows beyond is added.
    """
    number, call_id = metadata.get("phone_number"), metadata.get("call_id")
    provider, known = "", {}
    if hook is not None and isinstance(number, str) and number:
        provider = await _or_default(lambda: hook.route_call(number, dict(metadata)), "route_call", default="")
    if hook is not None and isinstance(call_id, str) and call_id:
        known = _json(await _or_default(lambda: hook.call_metadata(call_id), "call_metadata", default={}))
    return CallRoute(provider=provider, metadata={**known, **metadata})


def _json(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the hook knows if it is JSON, as a session's metadata must be, else nothing."""
    try:
        return parse(dict[str, JsonValue], dict(known), op="call_metadata")
    except InvalidConfig as error:
        logger.error("hook answered with metadata that is not JSON", extra=error.details)  # noqa: TRY400 - shows values
        return {}


async def _or_default(call: Callable[[], Any], name: str, *, default: Any) -> Any:
    expected = Mapping if isinstance(default, dict) else type(default)
    try:
        return await ask(call, hook=f"telephony_hook.{name}", expected=expected)
    except HookFailed:
        return default
