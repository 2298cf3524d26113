"""Which targets a telephone call is offered to, and what they are told of it: the table decides, the hook before it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from control.http.telephony import known_of, provider_of
from control.services import Services
from control.sessions.admission import MAX_METADATA
from control.telephony.call_desk import CallDesk
from control.telephony.carriers.carrier import Incoming
from control.telephony.routing.decision import Call, Choice, Decision
from control.telephony.routing.numbers import normalised
from control.telephony.routing.snapshot import Snapshot
from control.telephony.switchboard import Line
from voicebackend.hooks import TelephonyHook

logger = logging.getLogger(__name__)

HOOK_S = 1.0
"""Seconds that the TelephonyHook has: carriers want an answer soon."""
NEVER = frozenset({"emergency", "denied"})
"""Refusals that no hook overrides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where a call goes, and what is known of it."""

    route: str
    version: str
    choices: tuple[Choice, ...]
    metadata: Mapping[str, Any]
    """What the session is told."""
    known: Mapping[str, Any]
    """What signalling told."""
    code: int = 0
    """SIP status, where there is nobody to ask."""
    reason: str = ""


async def plan_of(services: Services, desk: CallDesk, line: Line, incoming: Incoming, routes: Snapshot) -> Plan:
    """Return where a call goes: first to what the hook names, then by the table, in both without dead targets.

    Emergency and denied calls are refused whatever the hook would say; one that fails leaves the call to the table.
    """
    dead = desk.health.dead()
    decision = routes.decide(call_of(line, incoming), when=datetime.now(UTC), dead=dead)
    known = known_by(line, incoming, routes.table.defaults.region)
    about = {
        **{name: known[name] for name in ("call_id", "phone_number", "carrier", "trunk")},
        "route": decision.route,
        "table": decision.version,
        "retention": decision.retention,
        "said": known["said"],
        **({"attestation": known["attestation"]} if "attestation" in known else {}),
    }
    choices, hook = decision.choices, services.hooks.find("telephony_hook")
    if hook is not None and decision.reason not in NEVER:
        name, more = await _asked(hook, incoming, about)
        about = _with(about, more)
        choices = await _overridden(services, name, decision, routes, dead)
    code, reason = (0, "") if choices else (decision.code, decision.reason)
    return Plan(
        route=decision.route,
        version=decision.version,
        choices=choices,
        metadata=about,
        known=known,
        code=code,
        reason=reason,
    )


def call_of(line: Line, incoming: Incoming) -> Call:
    """Return a call as the table sees it."""
    return Call(
        id=incoming.call_id,
        called=incoming.called,
        caller=incoming.caller,
        tenant=line.tenant,
        trunk=line.name,
        headers=incoming.headers,
    )


def known_by(line: Line, incoming: Incoming, region: str) -> dict[str, Any]:
    """Return what signalling tells of a call; what stands under ``said`` can be forged.

    There, ``number`` is the caller's in E.164, read as somebody in ``region`` would dial it; empty if it is none.
    """
    number = normalised(incoming.caller, region).e164
    found = {
        "call_id": incoming.call_id,
        "phone_number": incoming.called,
        "carrier": line.carrier.name,
        "trunk": line.name,
        "said": {"caller": incoming.caller, "number": number, "headers": dict(incoming.headers)},
    }
    return found | ({"attestation": incoming.attestation} if incoming.attestation else {})


async def _asked(hook: TelephonyHook, incoming: Incoming, about: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    name, more = await asyncio.gather(
        provider_of(hook, incoming.called, about, timeout_s=HOOK_S),
        known_of(hook, incoming.call_id, timeout_s=HOOK_S),
    )
    return name, more


def _with(about: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's metadata with what the hook adds; what is known already stays, and what is too long is left."""
    merged = {**more, **about}
    if len(json.dumps(merged).encode()) > MAX_METADATA - 1024:  # the target's name is still to come
        logger.error("hook knows more of a call than a session may be told", extra={"hook": "call_metadata"})
        return about
    return merged


async def _overridden(
    services: Services, name: str, decision: Decision, routes: Snapshot, dead: frozenset[str]
) -> tuple[Choice, ...]:
    """Return the choices with what the hook named in front: a target of the table, or a provider."""
    if not name:
        return decision.choices
    target = routes.table.targets.get(name)
    if target is not None:
        first = Choice(name, target.provider, target.agent, 0)
    elif any(name in worker.providers for worker in await services.workers.now()):
        first = Choice(name, name, decision.choices[0].agent if decision.choices else "", 0)
    else:
        logger.error("hook named neither a target nor a provider: the table decides", extra={"named": name[:64]})
        return decision.choices
    if name in dead:
        logger.warning("hook named a target that takes no calls now: the table decides", extra={"target": name})
        return decision.choices
    return (first, *(choice for choice in decision.choices if choice.target != name))
