"""Another pipeline for a session that runs: had while the old one speaks, then put where that is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from providers.failover.closings import Closings
from voicebackend.config import BackendConfig, PipelineType, parse
from voicebackend.errors import OperationTimeout, PipelineError, VoiceBackendError
from voicebackend.events import Swapped
from voicebackend.record import SessionRecord
from voicebackend.streams import Frame
from voicebackend.swap import SwapRequest
from worker.checkpoint import SessionSnapshot
from worker.lane import Lane
from worker.lane_frames import LaneFrames
from worker.link import GatewayLink
from worker.opening import build_pipeline
from worker.pipelines.own import Resumable
from worker.services import Services
from worker.session_engines import note_engines
from worker.session_log import SessionLog
from worker.snapshots import Snapshots

logger = logging.getLogger(__name__)

SWAP_S = 8.0
"""Seconds that a pipeline has to be there; then the old one stays."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a session's pipelines share, and how one is put in the place of another."""

    services: Services
    lane: Lane
    link: GatewayLink
    log: SessionLog
    frames: LaneFrames
    snapshots: Snapshots
    begin: Callable[[Resumable | None], None]
    closings: Closings
    """Of the pipelines that are given up."""


class Swap:
    """One session's swaps."""

    def __init__(self, running: Running, config: BackendConfig) -> None:
        self._running, self._config = running, config
        self._failed: set[str] = set()
        """Providers that this session has come to the end of."""

    async def asked(self, record: SessionRecord, old: Resumable, frame: Frame) -> SessionRecord:
        """Do as a frame asks, and tell what came of it; return the record, changed if that was done."""
        asked = ""
        try:
            told = frame.json()
            asked = str(told.pop("id", ""))
            changed = swapped_record(record, parse(SwapRequest, told, op="swap"))
            new = await self._connected(changed)
        except VoiceBackendError as error:
            told = {"error": error.code, "message": error.message}
            await self._tell(Swapped(swapped=False, provider=record.provider, **told), asked)
            return record
        lost = await self._put(changed, new, old)
        await self._tell(Swapped(swapped=True, provider=changed.provider, lost=lost), asked)
        return changed

    async def failed(self, record: SessionRecord, old: Resumable, failure: VoiceBackendError) -> SessionRecord:
        """Have the next provider of the failover list go on with a session whose own has failed.

        Raises:
            VoiceBackendError: there is none that can; the failure.

        """
        changed, new = await self._next(record, failure, self._connected)
        lost = await self._put(changed, new, old)
        await self._tell(Swapped(swapped=True, provider=changed.provider, lost=lost, error=failure.code), "")
        return changed

    async def opened(
        self, record: SessionRecord, open_one: Callable[[SessionRecord], Awaitable[Resumable]]
    ) -> tuple[SessionRecord, Resumable]:
        """Open a session's first pipeline: that of its record, or if it cannot be had, of the failover list's next.

        Raises:
            VoiceBackendError: none can be had; the first one's error.

        """
        try:
            return record, await open_one(record)
        except VoiceBackendError as failure:
            if not failure.retryable:
                raise
            changed, new = await self._next(record, failure, open_one)
        with self._running.closings.on_failure(new.abandon, "pipeline"):
            await self._note(changed)
        return changed, new

    async def _next(
        self,
        record: SessionRecord,
        failure: VoiceBackendError,
        have: Callable[[SessionRecord], Awaitable[Resumable]],
    ) -> tuple[SessionRecord, Resumable]:
        """Return the next provider's record and pipeline; raises the failure if none can be had."""
        self._failed.add(record.provider)
        for name in self._config.failover.provider:
            if name in self._failed:
                continue
            for kind in sorted(PipelineType, key=lambda kind: kind is not record.pipeline_type):
                changed = swapped_record(record, SwapRequest(provider=name, pipeline_type=kind))
                try:
                    return changed, await have(changed)
                except VoiceBackendError as error:
                    extra = {"session_id": record.id, "provider": name, "error_code": str(error.code)}
                    logger.warning("provider not failed over to", extra=extra)
        raise failure

    async def _put(self, record: SessionRecord, new: Resumable, old: Resumable) -> tuple[str, ...]:
        """Put a pipeline that is connected in the place of the old one; return what is lost with that."""
        with self._running.closings.on_failure(new.abandon, "pipeline"):
            await self._go_on(new, old)
        await self._note(record)
        return ("history",) if new.forgets else ()

    async def _go_on(self, new: Resumable, old: Resumable) -> None:
        """Let the new one go on where the old one is, from one moment to the next."""
        running = self._running
        running.frames.hold()  # what comes between the two is for the new one
        taken = running.snapshots.take(old)
        running.begin(None)
        await old.stop()
        running.closings.begin(old.release(), "pipeline")
        taken = await _or_as_it_is(running.snapshots.recovered(taken), taken)
        assert taken.dialogue is not None  # noqa: S101 - of a pipeline that runs
        new.restore(taken.dialogue)
        await new.open()
        new.resume(taken.dialogue, None)
        running.begin(new)
        running.frames.swap(new, taken.audio_seq)
        new.heard_again()

    async def _connected(self, record: SessionRecord) -> Resumable:
        running = self._running
        try:
            async with asyncio.timeout(SWAP_S):
                new = await build_pipeline(
                    record, self._config, running.services, link=running.link, log=running.log, goes_on=True
                )
                with running.closings.on_failure(new.abandon, "pipeline"):
                    await new.connect()
                return new
        except TimeoutError as error:
            raise OperationTimeout("swap", "the other pipeline could not be had in time") from error
        except OSError as error:
            raise PipelineError("swap", "an engine could not be opened") from error

    async def _note(self, record: SessionRecord) -> None:
        running = self._running
        try:
            await note_engines(running.services.wire, running.services.keys, record, running.lane.epoch)
        except VoiceBackendError as error:
            extra = {"session_id": record.id, "error_code": str(error.code)}
            logger.warning("swap not noted in the record", extra=extra)

    async def _tell(self, outcome: Swapped, asked: str) -> None:
        """Tell the caller's side and the log, where who asked looks for it."""
        logger.info("swap", extra={"swapped": outcome.swapped, "provider": outcome.provider, "lost": outcome.lost})
        self._running.link.event(outcome)
        try:
            await self._running.log.event(outcome, id=asked)
        except VoiceBackendError as error:
            logger.warning("log not written", extra={"error_code": str(error.code)})


def swapped_record(record: SessionRecord, wanted: SwapRequest) -> SessionRecord:
    """Return the record of the session as it is to run."""
    same = wanted.provider is None or wanted.provider == record.provider
    return replace(
        record,
        provider=wanted.provider or record.provider,
        pipeline_type=wanted.pipeline_type or record.pipeline_type,
        stt_provider=wanted.stt_provider or (record.stt_provider if same else ""),
        tts_provider=wanted.tts_provider or (record.tts_provider if same else ""),
        s2s_provider=wanted.s2s_provider or (record.s2s_provider if same else ""),
        swapped=True,
    )


async def _or_as_it_is(recovering: Awaitable[SessionSnapshot], taken: SessionSnapshot) -> SessionSnapshot:
    """Return a snapshot with what the log knows beyond it, or as it is while Redis is away."""
    try:
        return await recovering
    except VoiceBackendError as error:
        logger.warning("log not read for a swap", extra={"error_code": str(error.code)})
        return taken
