"""The trunks of a deployment that make calls, as every process uses them; read anew when their file changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from control.telephony.outbound.carrier import OutboundCarrier
from control.telephony.outbound.carriers.livekit_sip import LiveKitSip
from control.telephony.outbound.carriers.mock import MockCarrier
from control.telephony.outbound.carriers.twilio import TwilioCalls
from control.telephony.outbound.line import CarrierSetup, HandoverLine, OutboundLine
from control.telephony.outbound.settings import Outbound
from control.telephony.settings import TelephonySettings
from voicebackend._importer import load
from voicebackend.errors import InvalidConfig, VoiceBackendError
from voicebackend.keys import Keys

logger = logging.getLogger(__name__)

MAKERS: Mapping[str, Callable[[CarrierSetup], OutboundCarrier]] = {
    "mock": MockCarrier.of,
    "twilio": TwilioCalls.of,
    "livekit": LiveKitSip.of,
}
"""What makes the carrier of each kind of trunk."""


class OutboundLines:
    """Lines by trunk; ``redis`` is the ``state`` role, for carriers that need one."""

    def __init__(self, path: Path | None, redis: Redis, keys: Keys) -> None:
        self._path, self._redis, self._keys = path, redis, keys
        self._read_at = 0
        self._lines: Mapping[str, OutboundLine] = {}
        self._handover: Mapping[str, HandoverLine] = {}
        self._settings: TelephonySettings | None = None
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<OutboundLines {sorted(self._lines)}>"

    async def now(self) -> Mapping[str, OutboundLine]:
        """Return the lines; a changed file that is wrong leaves those that were there.

        Raises:
            InvalidConfig: the file is wrong, and there are none.

        """
        async with self._turn:
            changed_at = 0 if self._path is None else await asyncio.to_thread(_changed_at, self._path)
            if self._path is not None and changed_at != self._read_at:
                await self._read(self._path)
                self._read_at = changed_at
            return self._lines

    async def handover(self, trunk: str) -> HandoverLine | None:
        """Return what hands a trunk's calls over, None if they are not to be; raises as ``now``."""
        await self.now()
        return self._handover.get(trunk)

    async def aclose(self) -> None:
        """Let go of every carrier's connections."""
        before = self._carriers
        self._lines, self._handover = {}, {}
        for carrier in before:
            await carrier.aclose()

    @property
    def _carriers(self) -> set[OutboundCarrier]:
        handover = {line.carrier for line in self._handover.values()}
        return handover | {line.carrier for line in self._lines.values()}

    async def _read(self, path: Path) -> None:
        try:
            settings = await asyncio.to_thread(TelephonySettings.from_file, path)
            kept = self._unchanged(settings)
            lines = {name: line for name in settings.trunks if (line := self._line(name, settings)) is not None}
            hands = {name: self._hands(name, settings, lines.get(name)) for name in settings.trunks}
        except VoiceBackendError as error:
            if not self._read_at:
                raise
            logger.error("outbound trunks not read anew", extra={"error_code": error.code, **error.details})  # noqa: TRY400 - without words
            return
        before, self._settings = self._carriers, settings
        self._lines = {**lines, **{name: line for name, line in self._lines.items() if name in kept}}
        now_handing = {name: line for name, line in hands.items() if line is not None}
        self._handover = {**now_handing, **{name: line for name, line in self._handover.items() if name in kept}}
        made = {line.carrier for line in lines.values()} | {line.carrier for line in now_handing.values()}
        for carrier in (before | made) - self._carriers:  # not of trunks that are as they were: calls are under way
            await carrier.aclose()

    def _unchanged(self, settings: TelephonySettings) -> frozenset[str]:
        """Return the trunks that are as they were when they were read last."""
        if self._settings is None:
            return frozenset()
        before = self._settings.trunks
        return frozenset(name for name, trunk in settings.trunks.items() if before.get(name) == trunk)

    def _line(self, name: str, settings: TelephonySettings) -> OutboundLine | None:
        """Return the line of a trunk; None if it makes no calls."""
        trunk = settings.trunks[name]
        outbound: Outbound | None = getattr(trunk, "outbound", None)
        if outbound is None:
            return None
        carrier = self._carrier(name, trunk, "outbound", outbound.use)
        return OutboundLine(name=name, tenant=trunk.tenant, kind=trunk.carrier, settings=outbound, carrier=carrier)

    def _hands(self, name: str, settings: TelephonySettings, line: OutboundLine | None) -> HandoverLine | None:
        """Return what hands a trunk's calls over, by the carrier that calls for it too; None if they are not to be."""
        trunk = settings.trunks[name]
        to: frozenset[str] = frozenset(getattr(trunk, "transfer_to", ()))
        if not to:
            return None
        carrier = line.carrier if line is not None else self._carrier(name, trunk, "transfer_to")
        rooms: str = getattr(trunk, "room_name", "")
        return HandoverLine(name=name, tenant=trunk.tenant, kind=trunk.carrier, to=to, room_name=rooms, carrier=carrier)

    def _carrier(self, name: str, trunk: Any, field: str, use: str | None = None) -> OutboundCarrier:
        maker = MAKERS.get(trunk.carrier) if use is None else load(use, field="outbound.use")
        if maker is None:
            message = f"trunks.{name}.{field}: {trunk.carrier} makes and hands over no calls here"
            raise InvalidConfig("telephony", message, details={"field": f"trunks.{name}.{field}"})
        setup = CarrierSetup(name=name, trunk=trunk, secret=trunk.key(name), redis=self._redis, keys=self._keys)
        made: OutboundCarrier = maker(setup)
        return made


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise InvalidConfig("telephony", f"{path}: {type(error).__name__}", details={"field": str(path)}) from error
