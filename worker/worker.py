"""The worker: leases lanes, reads them in one call, and hands each frame to the session it is for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend import channel
from voicebackend.config import BackendConfig
from voicebackend.config_watch import ConfigWatch
from voicebackend.errors import SessionLimitExceeded, VoiceBackendError
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import LANE_WINDOW_S, Frame, Kind
from voicebackend.telemetry import slots_total, slots_used
from worker.announcement import announce, describe_providers, withdraw
from worker.lane import Lane
from worker.lease import RENEW_S, Lease, Leases
from worker.services import Services
from worker.session import Reason, SessionRunner
from worker.settings import WorkerSettings, lane_caps

logger = logging.getLogger(__name__)

MAX_LANE_NUMBER = 4096
"""Lanes are numbered from 0; a worker takes the lowest that nobody holds."""
SHUTDOWN_S = 5.0
"""Seconds that sessions have to end when the worker is stopped."""
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
        self._config, self._settings, self._services, self._leases = config, settings, services, leases
        self._audio, self._reader = audio, channel.Reader(reading)
        self._lanes: dict[int, Lane] = {}
        self._by_stream: dict[str, Lane] = {}
        self._sessions: dict[str, SessionRunner] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._draining = False
        self.sessions_started = 0
        """Sessions it has run so far."""
        self._providers = describe_providers()

    def __repr__(self) -> str:
        return f"<Worker {self._settings.id} [{len(self._lanes)} lanes, {len(self._sessions)} sessions]>"

    @property
    def id(self) -> str:
        """Return its name among workers."""
        return self._settings.id

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Return the lanes it holds, by number."""
        return MappingProxyType(self._lanes)

    @property
    def config(self) -> BackendConfig:
        """Return the configuration by which new sessions run."""
        return self._config.current

    @property
    def sessions(self) -> frozenset[str]:
        """Return the ids of the sessions it runs."""
        return frozenset(self._sessions)

    async def start(self) -> None:
        """Open the configured engines, lease lanes, and say so.

        Raises:
            InvalidConfig: the configuration cannot be run here.
            SessionLimitExceeded: no lane is free.

        """
        config = self._config.current
        provider = await self._services.engines.provider(config)
        await self._services.engines.engines(provider, config, config.pipeline_type)
        limit = config.max_concurrent_sessions
        await self._lease_lanes(min(self._settings.lanes, limit) if limit else self._settings.lanes)
        await self._announce()
        logger.info("worker ready", extra={"worker": self._settings.id, "lanes": sorted(self._lanes)})

    async def run(self) -> None:
        """Read lanes and keep leases until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_lanes(), name="lanes")
            group.create_task(self._keep_leases(), name="leases")
            group.create_task(self._keep_streams(), name="streams")
            group.create_task(self._keep_announced(), name="announcement")

    async def stop(self) -> None:
        """End every session, give the lanes up and withdraw."""
        self._draining = True
        await self._quietly(self._announce())
        for runner in self._sessions.values():
            runner.stop(Reason.SHUTDOWN)
        if self._running:
            await asyncio.wait(self._running.values(), timeout=SHUTDOWN_S)
        late = list(self._running.values())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._quietly(self._services.sender.flush())
        for lane in self._lanes.values():
            await self._quietly(channel.remove(self._audio, self._services.keys.lane(lane.number)))
            await self._quietly(self._leases.release(lane.lease))
        await self._quietly(withdraw(self._services.state, self._services.keys, self._settings.id))
        logger.info("worker stopped", extra={"worker": self._settings.id})

    # ------------------------------------------------------------ lanes

    async def _lease_lanes(self, wanted: int) -> None:
        leases: list[Lease] = []
        for number in range(MAX_LANE_NUMBER):
            if len(leases) == wanted:
                break
            lease = await self._leases.claim(number)
            if lease is not None:
                leases.append(lease)
        if len(leases) < wanted:
            raise SessionLimitExceeded("worker", f"only {len(leases)} of {wanted} lanes are free")
        for lease in leases:
            lane = self._lanes[lease.lane] = Lane(lease, time.monotonic())
            stream = self._services.keys.lane(lane.number)
            self._reader.add(stream, await channel.create(self._audio, stream))
            self._by_stream[stream] = lane
        self._share_out()

    def _share_out(self) -> None:
        """Give each lane its part of the sessions that the configuration allows."""
        caps = lane_caps(sorted(self._lanes), self._config.current.max_concurrent_sessions)
        for number, lane in self._lanes.items():
            lane.cap = caps[number]

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                for lane in list(self._lanes.values()):
                    await self._renew(lane)
            except (RedisError, OSError) as error:
                logger.warning("leases not renewed", extra={"error": type(error).__name__})
                for lane in self._lanes.values():
                    lane.unanswered(time.monotonic())

    async def _keep_announced(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                if await self._config.refresh():
                    self._share_out()
                await self._announce()
            except (RedisError, OSError) as error:
                logger.warning("not announced", extra={"error": type(error).__name__})

    async def _renew(self, lane: Lane) -> None:
        asked = time.monotonic()
        lease = await self._leases.renew(lane.lease)
        if lease is None:
            await self._lose(lane)
            return
        if lease.epoch != lane.epoch:
            logger.warning("lease lapsed and was claimed again", extra={"lane": lane.number, "epoch": lease.epoch})
        lane.confirm(lease, asked)

    async def _keep_streams(self) -> None:
        """Keep the lanes' streams apart from their leases: one Redis that does not answer does not cost both."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                for number in list(self._lanes):
                    stream = self._services.keys.lane(number)
                    if stream in self._by_stream:
                        await channel.keep(self._audio, stream, self._reader, window_s=LANE_WINDOW_S)
            except (RedisError, OSError) as error:
                logger.warning("lanes not kept", extra={"error": type(error).__name__})

    async def _lose(self, lane: Lane) -> None:
        """Let go of a lane that another worker holds; its sessions are theirs to end."""
        logger.error("lane lost to another worker", extra={"lane": lane.number, "epoch": lane.epoch})
        del self._lanes[lane.number]
        stream = self._services.keys.lane(lane.number)
        self._reader.remove(stream)
        del self._by_stream[stream]
        for session, runner in list(self._sessions.items()):
            if runner.lane is lane:
                runner.abandon()
                self._running[session].cancel()

    async def _announce(self) -> None:
        config, used = self._config.current, len(self._sessions)
        total = config.max_concurrent_sessions
        slots_used.set(used)
        slots_total.set(total)
        await announce(
            self._services.state,
            self._services.keys,
            self._settings.id,
            provider=config.provider,
            providers=self._providers,
            lanes={lane.number: lane.cap for lane in self._lanes.values()},
            slots_total=total,
            slots_free=max(0, total - used),
            draining=self._draining,
            config_version=self._config.version,
            load=self._services.load.measure(),
        )

    # ------------------------------------------------------------ sessions

    async def _read_lanes(self) -> None:
        while True:
            try:
                batches = await self._reader.read()
            except (RedisError, OSError) as error:
                logger.warning("lanes not read", extra={"error": type(error).__name__})
                await asyncio.sleep(RETRY_READ_S)
                continue
            for stream, entries in batches:
                lane = self._by_stream.get(stream)
                if lane is None:
                    continue  # lost while we were reading
                for entry in entries:
                    for frame in entry.frames:
                        await self._dispatch(lane, frame)
                    lane.position = entry.id

    async def _dispatch(self, lane: Lane, frame: Frame) -> None:
        runner = self._sessions.get(frame.session)
        if runner is not None:
            runner.deliver(frame)
        elif frame.kind is Kind.START and not self._draining:
            await self._start_session(lane, frame.session)

    async def _start_session(self, lane: Lane, session: str) -> None:
        """Reconcile the hint with the record, which counts, and run the session."""
        try:
            raw: Any = await self._services.state.hgetall(self._services.keys.session(session))
            record = SessionRecord.from_fields(raw)
        except (VoiceBackendError, RedisError, OSError) as error:
            logger.warning("session not started", extra={"session_id": session, "error": type(error).__name__})
            return
        if record.state is not SessionState.STARTING or (record.lane, record.worker) != (lane.number, self.id):
            return
        self.sessions_started += 1
        runner = SessionRunner(record, self._config.current, lane, self._services)
        self._sessions[session] = runner
        task = asyncio.create_task(runner.run(), name=f"session-{session}")
        self._running[session] = task
        task.add_done_callback(lambda _: self._forget(session))

    def _forget(self, session: str) -> None:
        self._sessions.pop(session, None)
        self._running.pop(session, None)

    async def _quietly(self, call: Awaitable[None]) -> None:
        try:
            await call
        except (RedisError, OSError, VoiceBackendError) as error:
            logger.warning("cleaning up failed", extra={"error": type(error).__name__})
