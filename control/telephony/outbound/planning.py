"""From a request to a call in the book: everything that can be wrong is told before anything is written."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from hashlib import sha256

from control.telephony.outbound import plan
from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.called_number import check_called
from control.telephony.outbound.line import OutboundLine
from control.telephony.outbound.windows import zones_of
from control.telephony.routing.window import check_zone
from voicebackend.calls import CallRequest, CallState
from voicebackend.errors import InvalidConfig

AHEAD_S = 90 * 86_400
"""Seconds that a call may be planned ahead."""
PAST_S = 3600
"""Seconds that its time may be past: a clock that is wrong, a queue that was slow."""
MAX_METADATA = 8 * 1024
"""Bytes of a call's metadata as JSON: the session's has more beside it."""
_OP = "create_call"


def new_call(request: CallRequest, tenant: str, lines: Mapping[str, OutboundLine]) -> OutboundCall:
    """Return the call that a request asks for.

    Raises:
        InvalidConfig: it cannot be made; the details name the field.

    """
    now = time.time()
    check_called(request.to)
    line = _line(request, tenant, lines)
    if not line.settings.reaches(request.to):
        raise _wrong("to", "the trunk does not call there: see `outbound.allow`")
    if request.consent is None and line.settings.consent == "required":
        raise _wrong("consent", "required for calls by this trunk")
    if len(json.dumps(request.metadata).encode()) > MAX_METADATA:
        raise _wrong("metadata", f"at most {MAX_METADATA // 1024} KiB as JSON")
    call = OutboundCall(
        id=uuid.uuid4().hex,
        tenant=tenant,
        trunk=line.name,
        from_=request.from_ or line.settings.caller_ids[0],
        request=request,
        zones=_zones(request),
        created_at=now,
    )
    planned = plan.planned(call, _at(request, now))
    if planned.state is not CallState.PLANNED:
        raise _wrong("windows", "no moment is in a window everywhere that the number may be: give the window a zone")
    return planned


def digest_of(request: CallRequest) -> str:
    """Return what tells two requests apart that come with the same idempotency key."""
    return sha256(request.model_dump_json(by_alias=True).encode()).hexdigest()


def _line(request: CallRequest, tenant: str, lines: Mapping[str, OutboundLine]) -> OutboundLine:
    """Return the trunk by which a call is made: the one it names, or the only one that it can mean."""
    ours = [line for line in lines.values() if line.tenant == tenant]
    if request.trunk is not None:
        ours = [line for line in ours if line.name == request.trunk]
        if not ours:
            raise _wrong("trunk", "no trunk of this name makes calls: see VOICEBACKEND_TELEPHONY")
    if not ours:
        raise _wrong("trunk", "no trunk makes calls: give one an `outbound` section, see VOICEBACKEND_TELEPHONY")
    having = [line for line in ours if request.from_ is None or request.from_ in line.settings.caller_ids]
    if not having:
        raise _wrong("from", "no caller id of the trunk: see `outbound.caller_ids`")
    if len(having) > 1:
        raise _wrong("trunk", f"several would do: name one of {', '.join(sorted(line.name for line in having))}")
    return having[0]


def _zones(request: CallRequest) -> tuple[str, ...]:
    """Return the zones of windows that name none."""
    for window in request.windows:
        if window.zone is not None:
            try:
                check_zone(window.zone)
            except ValueError as error:
                raise _wrong("windows", str(error)) from error
    if all(window.zone is not None for window in request.windows):
        return ()
    zones = zones_of(request.to)
    if not zones:
        raise _wrong("windows", "nobody knows in which time zone this number is: give each window a zone")
    return zones


def _at(request: CallRequest, now: float) -> float:
    if request.at is None:
        return now
    at = request.at.timestamp()
    if at > now + AHEAD_S:
        raise _wrong("at", f"at most {AHEAD_S // 86_400} days ahead")
    if at < now - PAST_S:
        raise _wrong("at", "has passed")
    return max(at, now)


def _wrong(field: str, message: str) -> InvalidConfig:
    return InvalidConfig(_OP, f"{field}: {message}", details={"field": field})
