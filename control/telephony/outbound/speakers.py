"""Who speaks in a call that we make, as dialling needs it: somebody must be there before anybody is rung up."""

from __future__ import annotations

from typing import Protocol

from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.line import OutboundLine


class Speakers(Protocol):
    """Sessions of calls."""

    async def ready(self, call: OutboundCall, line: OutboundLine) -> str:
        """Return once somebody can speak: the session of the next attempt where its party joins a room, else empty.

        Raises:
            SessionLimitExceeded: there is no room now.
            VoiceBackendError: it cannot be had.

        """
        ...

    async def leave_message(self, call: OutboundCall) -> None:
        """Have the session of the attempt that lasts say the call's message to a machine, once, and end."""
        ...

    async def release(self, session: str) -> None:
        """Have a session ended in whose room nobody is, or will be."""
        ...
