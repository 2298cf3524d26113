"""What the agent of a call that we make is told of it. Pure."""

from __future__ import annotations

from typing import Any

from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.line import OutboundLine


def facts_of(line: OutboundLine, call: OutboundCall, attempt: int, carrier_call_id: str) -> dict[str, Any]:
    """Return the metadata of an attempt's session: what was asked for with the call, and what is known of it."""
    about: dict[str, Any] = {
        "call_id": carrier_call_id,
        "phone_number": call.request.to,
        "caller_id": call.from_,
        "carrier": line.kind,
        "trunk": line.name,
        "direction": "outbound",
        "call": call.id,
        "attempt": attempt,
    }
    if call.request.on_machine != "continue" and line.carrier.joins_room:
        about["detect_machine"] = True  # nobody else tells
    return {**call.request.metadata, **about}
