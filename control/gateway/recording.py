"""Recordings of the callers of one process: on disk within a second, in the store when a part is whole.

Each process has a folder of its own under the deployment's, and holds its lock. What a process that died left in its
folder is put into the store by the next that starts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from control.gateway.consents import said_by
from control.gateway.recorder import Recorder
from control.outbox.outbox import Outbox
from control.records import audio
from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.entry import Entry, Reason
from control.records.index import AT_ONCE, Begun
from control.records.keep import allowed
from control.records.policy import restored
from control.records.spools import Spools, append, begin, entry_beside, forget
from control.sessions.consents import NOTED_S
from voicebackend._redis import redis_errors
from voicebackend.consent import Statements, kept_from
from voicebackend.errors import VoiceBackendError
from voicebackend.hooks import DataRetentionHook
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.tape import RATE, SLACK_S, Tape
from voicebackend.webhooks import EventType

logger = logging.getLogger(__name__)

FLUSH_S = 0.5
"""Seconds between writes to disk."""
LEAD_S = 0.5
"""Seconds on tape before the beginning: room for what was said while the session got ready."""
RETRY_S = 60.0
"""Seconds after which a part is tried again that the store did not take."""
MAX_WAITING = 60 * RATE * audio.FRAME_BYTES
"""Bytes of a recording that wait for a disk, at most; what is older is lost, and the next part begins behind it."""
HookOf = Callable[[], DataRetentionHook | None]
Said = tuple[float, Mapping[str, Statements]]
"""When it was looked at, and what was said of consent by session."""


class Recordings:
    """Opens, writes and ends recordings; ``folder`` is this machine's own.

    Where audio needs consent, the tape runs from the beginning, so that not a word is lost once consent is given; what
    is on it from before is thrown away and never written.
    """

    def __init__(self, cabinet: Cabinet, folder: Path, hook: HookOf, redis: Redis, keys: Keys) -> None:
        audio.check()
        self._cabinet, self._hook, self._redis, self._keys = cabinet, hook, redis, keys
        self._spools = Spools(folder)
        self._open: set[Recorder] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._unstored: set[Path] = set()
        self._running: list[asyncio.Task[None]] = []
        self._writing = asyncio.Lock()
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return f"<Recordings [{len(self._open)} open]>"

    async def open(self, record: SessionRecord, agent_rate: int) -> Recorder | None:
        """Begin a recording, if the session's policies and the hook let its audio be kept.

        Where the disk or Redis is away the call goes on without one, and that is logged as an error.
        """
        try:
            return await self._opened(record, agent_rate)
        except (OSError, VoiceBackendError) as error:
            lost = {"session_id": record.id, "error": type(error).__name__}
            logger.error("call is not recorded", extra=lost)  # noqa: TRY400 - one line, and no words
            return None

    async def _opened(self, record: SessionRecord, agent_rate: int) -> Recorder | None:
        rule = await allowed(restored(record.retention, DataClass.AUDIO), DataClass.AUDIO, record, self._hook())
        if not rule.ttl_s:
            return None
        lead_s = max(0.0, min(LEAD_S, time.time() - record.created_at))
        tape = Tape(self._loop.time() - lead_s, agent_rate)
        with redis_errors("recording"):
            masked_ms: Any = await self._redis.pttl(self._keys.masked(record.id))
        if masked_ms > 0:
            tape.mask(self._loop.time() + masked_ms / 1000)
        recorder = Recorder(tape, record, rule, time.time() - lead_s)
        recorder.since = kept_from(record.consent, DataClass.AUDIO, required=rule.consent)
        if recorder.since is not None and recorder.since <= recorder.part_began:
            await self._begin(recorder)
        self._open.add(recorder)
        return recorder

    async def _begin(self, recorder: Recorder) -> None:
        spool = self._spools.path()
        await asyncio.to_thread(begin, spool, self._entry(recorder))
        recorder.begin(spool)

    def end(self, recorder: Recorder) -> None:
        """End a recording, and have it put into the store."""
        self._open.discard(recorder)
        recorder.waiting += recorder.tape.cut(self._loop.time(), last=True)
        self._own(self._end(recorder), f"recording of {recorder.record.id}")

    def start(self) -> None:
        """Write from now on, until ``aclose``; first put into the store what others left."""
        self._running = [
            asyncio.create_task(self._run(), name="recordings"),
            asyncio.create_task(self._retry(), name="recordings that are not stored yet"),
        ]

    async def aclose(self) -> None:
        """Wait for the recordings that are being stored, and let go of the folder."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await asyncio.gather(*self._ending, return_exceptions=True)
        self._spools.close()

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, recorder: Recorder) -> None:
        """Put a recording into the store; where that is not possible, it stays on disk for the next process."""
        async with self._writing:
            await self._advance(recorder, await self._said([recorder]))
        if recorder.spool is None:
            return
        await self._stored(recorder.spool)
        if recorder.tape.dropped_s > FLUSH_S:
            lost = {"session_id": recorder.record.id, "seconds": round(recorder.tape.dropped_s, 1)}
            logger.warning("audio came too late for its recording", extra=lost)

    async def _advance(self, recorder: Recorder, said: Said) -> None:
        """Write what waits; where the disk does not take it, it waits on, up to a bound, and others are written."""
        try:
            await self._follow(recorder, said)
            if recorder.spool is not None:
                await self._write(recorder, recorder.spool)
        except OSError as error:
            extra = {"session_id": recorder.record.id, "error": type(error).__name__}
            logger.error("recording not written", extra=extra)  # noqa: TRY400 - one line is enough
        if len(recorder.waiting) > MAX_WAITING:
            if recorder.spool is not None:
                self._let_go(recorder)
            recorder.spill(MAX_WAITING)

    async def _write(self, recorder: Recorder, spool: Path) -> None:
        data = recorder.waiting
        await asyncio.to_thread(append, spool, data, recorder.written)
        recorder.written += len(data)
        recorder.waiting = recorder.waiting[len(data) :]
        if recorder.is_whole and recorder in self._open:
            self._let_go(recorder)
            await self._begin(recorder)

    async def _stored(self, spool: Path) -> None:
        """Put a part into the store, or leave it on disk for a while; a call goes on all the same."""
        try:
            await self._store(spool)
            self._unstored.discard(spool)
        except Exception as error:  # noqa: BLE001 - whatever a file or a store says: the others go on
            self._unstored.add(spool)
            logger.warning("recording not stored yet", extra={"error": type(error).__name__})

    async def _run(self) -> None:
        self._own(self._adopt(), "recordings of others")
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self._flush()
            except Exception:  # no recording may end those of all others
                logger.exception("recordings not written")

    async def _retry(self) -> None:
        """Try again and again what the store did not take."""
        while True:
            await asyncio.sleep(RETRY_S)
            for spool in tuple(self._unstored):
                await self._stored(spool)

    async def _flush(self) -> None:
        async with self._writing:
            open_now = list(self._open)
            now = self._loop.time()  # before looking: what comes after that is not thrown away yet
            said = await self._said(open_now)
            for recorder in open_now:
                recorder.waiting += recorder.tape.cut(now)
            for recorder in open_now:
                await self._advance(recorder, said)

    async def _said(self, recorders: Sequence[Recorder]) -> Said:
        """Return when this was looked at, and what callers have said of consent by then."""
        looked = time.time()
        return looked, await said_by(self._redis, self._keys, (recorder.record.id for recorder in recorders))

    async def _follow(self, recorder: Recorder, said: Said) -> None:
        """Begin to write, or stop, as the caller's consent has it; where that is not known, all stays as it is."""
        looked, statements = said
        if recorder.record.id in statements:
            now_said = statements[recorder.record.id]
            recorder.since = kept_from(now_said, DataClass.AUDIO, required=recorder.rule.consent)
        if recorder.since is None:
            recorder.unsure = looked
            recorder.skip(None)
            if recorder.spool is not None:
                self._let_go(recorder)
        elif recorder.spool is None:
            recorder.skip(max(recorder.since, recorder.unsure) + SLACK_S)
            if recorder.waiting:
                await self._begin(recorder)

    def _let_go(self, recorder: Recorder) -> None:
        """Put the part under way into the store, which does not take what consent was withdrawn to."""
        self._own(self._stored(recorder.stop()), f"part of {recorder.record.id}")

    async def _adopt(self) -> None:
        """Put into the store what processes that died left on disk."""
        for path in await asyncio.to_thread(self._spools.orphans):
            await self._stored(path)
        await asyncio.to_thread(self._spools.tidy)

    async def _store(self, spool: Path) -> None:
        """Put a part into the store, and off the disk."""
        entry = await asyncio.to_thread(entry_beside, spool)
        if entry.made and time.time() - entry.made > NOTED_S:
            await self._give_up(entry, spool)
            return
        data = await asyncio.to_thread(audio.flac, spool, RATE)
        if await self._cabinet.write(entry, data):
            told: dict[str, Any] = {"about": entry.id, "data": {"records": [entry.id]}}
            outbox = Outbox(self._redis, self._keys)
            await outbox.put_or_log(EventType.RECORDING_READY, tenant=entry.tenant, session=entry.session, **told)
        await asyncio.to_thread(forget, spool)

    async def _give_up(self, entry: Entry, spool: Path) -> None:
        """Have a part deleted of which nobody knows any more whether consent was withdrawn; what is held goes later."""
        entry = replace(entry, due=AT_ONCE, reason=Reason.UNSURE)
        covers = await self._cabinet.holds.covering(entry.tenant)
        if held := covers(entry.session, entry.subjects):
            await self._cabinet.write(entry, await asyncio.to_thread(audio.flac, spool, RATE))
        elif await self._cabinet.index.begin(entry) is Begun.KNOWN:  # noted, and never written: it gets its receipt
            await self._cabinet.index.sooner([entry.id], Reason.UNSURE)
        told = {"session_id": entry.session, "held": held}
        logger.error("recording deleted: too old to know whether it may be kept", extra=told)
        await asyncio.to_thread(forget, spool)

    def _entry(self, recorder: Recorder) -> Entry:
        entry = self._cabinet.entry(recorder.record, DataClass.AUDIO, recorder.name, recorder.rule)
        return replace(entry, due=time.time() + recorder.rule.ttl_s, made=recorder.part_began)
