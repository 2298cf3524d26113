"""A pipeline that does not open is closed: half of it may be there, and a vendor bills it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from conversation_harness import in_virtual_time

from providers.failover.closings import Closings
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import ConnectionFailed, OperationTimeout, VoiceBackendError
from voicebackend.failover import Failover
from voicebackend.interfaces import Capabilities
from voicebackend.record import SessionRecord
from voicebackend.session import Transport
from worker.opening import open_pipeline
from worker.pipelines.own import Resumable
from worker.swap import Running, Swap

RECORD = SessionRecord(
    id="a" * 32,
    tenant="t",
    user_id="u",
    provider="first",
    transport=Transport.WEBSOCKET,
    pipeline_type=PipelineType.STT_TTS,
)


class Own:
    """A provider's pipeline, which opens half and then fails, or hangs."""

    def __init__(self, error: VoiceBackendError | None = None, *, hangs: bool = False) -> None:
        self.error, self.hangs = error, hangs
        self.is_open = asyncio.Event()

    async def open(self) -> None:
        """Open."""
        self.is_open.set()
        if self.error is not None:
            raise self.error
        if self.hangs:
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Close."""
        self.is_open.clear()


class Deployment:
    """What is shared by the sessions of a process that has but such a provider."""

    def __init__(self, own: Own) -> None:
        self.closings = Closings()
        self.noting = asyncio.Event()
        provider = SimpleNamespace(
            capabilities=Capabilities(transports=frozenset(Transport), pipelines=frozenset(PipelineType)),
            pipeline=lambda link: own,
        )

        async def found(_: object) -> Any:
            return provider

        async def never(*_: object) -> Any:
            self.noting.set()
            await asyncio.Event().wait()

        self.services: Any = SimpleNamespace(
            engines=SimpleNamespace(provider=found),
            wire=SimpleNamespace(execute=never),
            keys=SimpleNamespace(session=str),
        )
        self.config = BackendConfig(provider="first", failover=Failover(provider=("second",)))

    async def open(self, record: SessionRecord = RECORD) -> Resumable:
        """Open the pipeline."""

        async def at_once() -> float:
            return 0.0

        shared: Any = {"link": None, "log": SimpleNamespace(masked_for=at_once), "closings": self.closings}
        return await open_pipeline(record, self.config, self.services, **shared)

    def swap(self) -> Swap:
        """Return a session's swaps."""
        nothing = cast(Any, None)
        lane = cast(Any, SimpleNamespace(epoch=1))
        running = Running(self.services, lane, nothing, nothing, nothing, nothing, nothing, self.closings)
        return Swap(running, self.config)


@pytest.mark.parametrize(
    ("own", "code"),
    [(lambda: Own(ConnectionFailed("own")), ConnectionFailed), (lambda: Own(hangs=True), OperationTimeout)],
    ids=["fails", "hangs"],
)
def test_what_does_not_open_is_closed(own: Any, code: type[VoiceBackendError]) -> None:
    """It fails, or does not open in time."""

    @in_virtual_time
    async def main() -> None:
        half = own()
        deployment = Deployment(half)
        with pytest.raises(code):
            await deployment.open()
        await deployment.closings.wait()
        assert not half.is_open.is_set()

    main()


@in_virtual_time
async def test_what_was_opening_for_a_session_that_is_cancelled_is_closed() -> None:
    """Its lane was lost, or the process ends."""
    half = Own(hangs=True)
    deployment = Deployment(half)
    opening = asyncio.create_task(deployment.open(), name="opening")
    await half.is_open.wait()
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    await deployment.closings.wait()
    assert not half.is_open.is_set()


@in_virtual_time
async def test_a_pipeline_that_was_failed_over_to_has_an_owner_at_every_moment() -> None:
    """The session is cancelled while its record is told of the provider."""
    own = Own()
    deployment = Deployment(own)

    async def open_one(record: SessionRecord) -> Resumable:
        if record.provider == "first":
            raise ConnectionFailed("first")
        return await deployment.open(record)

    opening = asyncio.create_task(deployment.swap().opened(RECORD, open_one), name="opening")
    await deployment.noting.wait()
    assert own.is_open.is_set()
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    await deployment.closings.wait()
    assert not own.is_open.is_set()


@in_virtual_time
async def test_what_cannot_be_swapped_to_is_closed() -> None:
    """It connects half, and the call goes on as it was."""
    half = Own(ConnectionFailed("own"))
    deployment = Deployment(half)
    with pytest.raises(ConnectionFailed):
        await deployment.swap()._connected(RECORD)
    await deployment.closings.wait()
    assert not half.is_open.is_set()
