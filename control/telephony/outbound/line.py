"""A trunk that makes calls, ready for use, and what its carrier is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.carrier import DialOrder, OutboundCarrier
from control.telephony.outbound.plan import Watch
from control.telephony.outbound.settings import Outbound
from voicebackend.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierSetup:
    """What a carrier is made from."""

    name: str
    """The trunk's."""
    trunk: Any
    """Its settings."""
    secret: str = field(default="", repr=False)
    """What its webhooks are signed with; empty where it has none."""
    redis: Redis
    """The ``state`` role."""
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverLine:
    """A trunk whose calls may be handed over, whoever made them."""

    name: str
    tenant: str
    kind: str
    """The carrier's name."""
    to: frozenset[str]
    """The only numbers to which."""
    room_name: str = ""
    """Of its calls' rooms, where the carrier has them in rooms."""
    carrier: OutboundCarrier


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundLine:
    """A trunk that makes calls."""

    name: str
    tenant: str
    kind: str
    """The carrier's name."""
    settings: Outbound
    carrier: OutboundCarrier

    def __repr__(self) -> str:
        return f"<OutboundLine {self.name} [{self.kind}]>"

    @property
    def watch(self) -> Watch:
        """Return how its calls are looked after."""
        return Watch(polled=self.carrier.polled, max_duration_s=self.settings.max_duration.total_seconds())

    def order(self, call: OutboundCall, base_url: str) -> DialOrder:
        """Return what the carrier is asked for the attempt that lasts; ``base_url`` is where it reaches us."""
        attempt = call.attempts[-1]
        place = f"{base_url}/v1/telephony/{self.name}/calls/{call.id}"
        return DialOrder(
            call=call.id,
            attempt=attempt.number,
            trunk=self.name,
            from_=call.from_,
            to=call.request.to,
            ring_s=call.request.max_ring_s,
            answer_url=f"{place}/answered?attempt={attempt.number}",
            status_url=f"{place}/status?attempt={attempt.number}",
            detect_machine=call.request.on_machine != "continue",
            await_greeting=call.request.on_machine == "leave_message",
            session=attempt.session,
            carrier_call_id=attempt.carrier_call_id,
        )
