"""Who handled a session beside us: provider, engines, carrier, agent; so that they can be asked to delete too. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from voicebackend.config import BackendConfig, PipelineType
from voicebackend.record import SessionRecord
from voicebackend.session import Transport

AGENT, CARRIER, MEDIA, PROVIDER = "agent", "carrier", "media", "provider"


@dataclass(frozen=True, slots=True, order=True)
class Handler:
    """One who handled a session, or stood ready to."""

    role: str
    """``carrier``, ``provider``, ``media`` (who carried a room), ``stt``, ``tts``, ``s2s``, ``agent``."""
    name: str
    call: str = ""
    """The carrier's id of the call."""


def snapshot(config: BackendConfig, record: SessionRecord, *, own_pipeline: bool) -> dict[str, list[str]]:
    """Return by role who may handle a session that begins now, with those that would take over from one that fails.

    ``own_pipeline`` says that the provider hears and speaks itself.
    """
    failover, found = config.failover, {PROVIDER: [record.provider]}
    if own_pipeline:
        return found
    if record.pipeline_type is PipelineType.S2S:
        found["s2s"] = [*filter(None, [config.s2s_provider]), *failover.s2s]
        found[PROVIDER] += failover.provider
        return found
    found["stt"] = [*filter(None, [config.stt_provider]), *failover.stt]
    found["tts"] = [*filter(None, [config.tts_provider]), *failover.tts]
    return found


def handlers_of(record: SessionRecord) -> tuple[Handler, ...]:
    """Return who handled a session: as it began, since its swaps, the carrier of its call, its agent."""
    return tuple(dict.fromkeys(_handlers(record)))


def _handlers(record: SessionRecord) -> Iterator[Handler]:
    first = MEDIA if record.transport is Transport.WEBRTC else PROVIDER
    if record.transport is Transport.TELEPHONY and isinstance(carrier := record.metadata.get("carrier"), str):
        call = record.metadata.get("call_id")
        yield Handler(CARRIER, carrier, call if isinstance(call, str) else "")
    yield Handler(first, record.provider)
    for role, names in record.handlers.items():
        yield from (Handler(first if role == PROVIDER else role, name) for name in names)
    yield from (Handler(role, name) for role, name in record.engines.items())
    if record.agent:
        yield Handler(AGENT, record.agent)


def encoded(handlers: Iterable[Handler]) -> str:
    """Return them as the index has them."""
    return json.dumps([[one.role, one.name, one.call] for one in handlers], separators=(",", ":"))


def decoded(text: str) -> tuple[Handler, ...]:
    """Read them; an entry of an older version has none."""
    rows: list[Any] = json.loads(text) if text else []
    return tuple(Handler(*row) for row in rows)


def named(handlers: Iterable[Handler]) -> tuple[str, ...]:
    """Return them as receipts name them, for ever: ``role:name``, no id of a call, and nobody's agent."""
    return tuple(sorted({f"{one.role}:{one.name}" for one in handlers if one.role != AGENT}))
