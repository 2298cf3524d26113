"""The worker: holds lanes, hands each frame to the session it is for, and tells the world how it stands."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend.config import BackendConfig
from voicebackend.config_watch import ConfigWatch
from voicebackend.errors import VoiceBackendError
from voicebackend.interfaces import VoiceProvider
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import Entry, Frame, Kind
from voicebackend.telemetry import slots_total, slots_used
from worker.announcement import Announcement, announce, describe_providers, withdraw
from worker.caller import Reason
from worker.catalogue import KEEP_S, keep_catalogue, read_catalogue
from worker.checks import ProviderChecks
from worker.gateways import GatewayWatch
from worker.lane import Lane
from worker.lanes.checkpoints import Checkpoints
from worker.lanes.directory import Directory
from worker.lanes.holdings import Holdings
from worker.lanes.plan import Member
from worker.lanes.registrar import Registrar
from worker.lanes.roster import Roster
from worker.lanes.steward import Steward
from worker.lanes.takeover import Takeover
from worker.lease import RENEW_S, Leases
from worker.opening import with_provider
from worker.services import Services
from worker.settings import WorkerSettings, lane_caps

logger = logging.getLogger(__name__)

SHUTDOWN_S = 5.0
"""Seconds that sessions have to end when the worker is stopped and nobody takes them."""
RETRY_READ_S = 0.2
"""Seconds before lanes are read again after Redis failed."""


class Worker:
    """Holds lanes and the sessions in them. Use ``start``, then ``run`` as a task, then ``stop``."""

    def __init__(
        self,
        config: ConfigWatch,
        settings: WorkerSettings,
        services: Services,
        leases: Leases,
        *,
        audio: Redis,
        reading: Redis,
    ) -> None:
        self._config, self._settings, self._services = config, settings, services
        keys, store = services.keys, Checkpoints(audio, services.keys)
        self._roster = Roster(services)
        self._holdings = Holdings(leases, self._roster, store, audio=audio, reading=reading, keys=keys)
        takeover = Takeover(services, self._holdings, self._roster, store, lambda: self.config)
        directory = Directory(services.state, keys)
        self._steward = Steward(
            directory, self._holdings, self._roster, takeover, wanted=settings.lanes, me=self._member
        )
        self._registrar = Registrar(services.state, keys, self._holdings, self._roster)
        self._gateways = GatewayWatch(audio, keys, self._roster.runners)
        self._checks = ProviderChecks(services.state, keys, self._provider)
        self._draining = False
        self.relieved = asyncio.Event()
        """Somebody asked for its sessions to be handed over, and for its end; whoever runs it sees to that."""
        self._providers = describe_providers()
        self._catalogue_id = ""

    def __repr__(self) -> str:
        return f"<Worker {self._settings.id} [{len(self.lanes)} lanes, {len(self._roster)} sessions]>"

    @property
    def id(self) -> str:
        """Return its name among workers."""
        return self._settings.id

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Return the lanes it holds, by number."""
        return self._holdings.lanes

    @property
    def config(self) -> BackendConfig:
        """Return the configuration by which new sessions run."""
        return self._config.current

    @property
    def sessions(self) -> frozenset[str]:
        """Return the ids of the sessions it runs."""
        return self._roster.ids

    @property
    def sessions_started(self) -> int:
        """Return how many sessions it has run so far."""
        return self._roster.started

    async def start(self) -> None:
        """Open the configured engines, lease lanes, and say so.

        Raises:
            InvalidConfig: the configuration cannot be run here.
            SessionLimitExceeded: no lane is free.

        """
        config = self._config.current
        provider = await self._services.engines.provider(config)
        await self._services.engines.engines(provider, config, config.pipeline_type)
        server: Any = await self._services.state.info("server")
        self._steward.trouble(time.monotonic() - int(server["uptime_in_seconds"]))
        await self._steward.first()
        await self._announce()
        logger.info("worker ready", extra={"worker": self._settings.id, "lanes": sorted(self.lanes)})

    async def run(self) -> None:
        """Read lanes and keep leases until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_lanes(), name="lanes")
            group.create_task(self._keep_leases(), name="leases")
            group.create_task(self._keep_streams(), name="streams")
            group.create_task(self._keep_announced(), name="announcement")
            group.create_task(self._keep_catalogue(), name="catalogue")
            group.create_task(self._steward.run(), name="steward")
            group.create_task(self._gateways.run(), name="gateways")
            group.create_task(self._registrar.run(), name="registrar")
            group.create_task(self._checks.run(frozenset(self._providers)), name="checks")

    async def stop(self) -> None:
        """Hand every session to another worker, or end it where there is none; give the lanes up and withdraw."""
        self._draining = True
        await self._quietly(self._announce())
        await self._quietly(self._steward.drain())
        await self._roster.end(Reason.SHUTDOWN, within_s=SHUTDOWN_S)
        await self._quietly(self._services.sender.flush())
        for lane in list(self.lanes.values()):
            await self._quietly(self._holdings.drop(lane))
        await self._holdings.aclose()
        await self._quietly(withdraw(self._services.state, self._services.keys, self._settings.id))
        logger.info("worker stopped", extra={"worker": self._settings.id})

    # ------------------------------------------------------------ what others see

    def _member(self) -> Member:
        loads = self._loads()
        return Member(
            id=self.id,
            lanes=loads,
            slots_total=self.config.max_concurrent_sessions,
            slots_used=sum(loads.values()),
            providers=frozenset(self._providers),
            draining=self._draining,
            admitting=self._services.load.admitting,
            settled=self._steward.settled,
        )

    def _loads(self) -> dict[int, int]:
        return {number: len(self._roster.ids_of(lane)) for number, lane in self.lanes.items()}

    async def _announce(self) -> None:
        config, loads = self._config.current, self._loads()
        used, total = sum(loads.values()), config.max_concurrent_sessions
        slots_used.set(used)
        slots_total.set(total)
        for number, cap in lane_caps(sorted(self.lanes), total).items():
            self.lanes[number].cap = cap
        told = Announcement(
            id=self.id,
            provider=config.provider,
            providers=self._providers,
            lanes={lane.number: lane.cap for lane in self.lanes.values()},
            loads=loads,
            slots_total=total,
            slots_free=max(0, total - used),
            draining=self._draining,
            settled=self._steward.settled,
            config_version=self._config.version,
            load=self._services.load.measure(idle=used == 0),
            catalogue=self._catalogue_id,
            health=self._services.engines.health(),
            checks=self._checks.results,
        )
        if await announce(self._services.state, self._services.keys, told):
            self.relieved.set()

    async def _provider(self, name: str) -> VoiceProvider:
        """Return a provider, opened with the settings that a session of it would have."""
        return await self._services.engines.provider(with_provider(self.config, name))

    async def _keep_announced(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._config.refresh()
                await self._announce()
            except (RedisError, OSError) as error:
                logger.warning("not announced", extra={"error": type(error).__name__})

    # ------------------------------------------------------------ lanes

    async def _keep_catalogue(self) -> None:
        """Tell what could be run here."""
        try:
            found = await read_catalogue()
        except (VoiceBackendError, OSError) as error:
            logger.warning("no catalogue", extra={"error": type(error).__name__})
            return
        while True:
            with suppress(RedisError, OSError):  # announcing tells of the trouble
                await keep_catalogue(self._services.state, self._services.keys, found)
                self._catalogue_id = found.id
            await asyncio.sleep(KEEP_S)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await self._holdings.renew()

    async def _keep_streams(self) -> None:
        """Keep the lanes' streams apart from their leases: one Redis that does not answer does not cost both."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._holdings.keep()
            except (RedisError, OSError) as error:
                logger.warning("lanes not kept", extra={"error": type(error).__name__})

    async def _read_lanes(self) -> None:
        while True:
            try:
                batches = await self._holdings.read()
            except (RedisError, OSError) as error:
                logger.warning("lanes not read", extra={"error": type(error).__name__})
                await asyncio.sleep(RETRY_READ_S)
                continue
            for lane, entries in batches:
                for entry in entries:
                    await self._dispatch(lane, entry)

    async def _dispatch(self, lane: Lane, entry: Entry) -> None:
        if self.lanes.get(lane.number) is not lane:
            return  # lost or given up meanwhile
        for frame in entry.frames:
            if frame.kind is Kind.AUDIO_IN and entry.id <= lane.deaf_until:
                continue
            if not self._roster.deliver(frame, entry.id) and frame.kind is Kind.START and not self._draining:
                await self._start_session(lane, frame)
        lane.position = max(lane.position, entry.id)

    async def _start_session(self, lane: Lane, start: Frame) -> None:
        """Reconcile the hint with the record, which counts, and run the session."""
        session = start.session
        try:
            raw: Any = await self._services.state.hgetall(self._services.keys.session(session))
            record = SessionRecord.from_fields(raw)
        except (VoiceBackendError, RedisError, OSError) as error:
            logger.warning("session not started", extra={"session_id": session, "error": type(error).__name__})
            return
        if record.state is not SessionState.STARTING or (record.lane, record.worker) != (lane.number, self.id):
            return
        if self.lanes.get(lane.number) is lane and session not in self._roster:
            self._roster.run(record, self._config.current, lane)

    async def _quietly(self, call: Awaitable[None]) -> None:
        try:
            await call
        except (RedisError, OSError, VoiceBackendError) as error:
            logger.warning("cleaning up failed", extra={"error": type(error).__name__})
