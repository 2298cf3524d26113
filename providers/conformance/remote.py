"""What every engine of a vendor must do when the vendor does not do what it should: each inherits the suite."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from providers.conformance.double import KEY, Double, Fault
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    InvalidConfig,
    RateLimitExceeded,
    VoiceBackendError,
)
from voicebackend.interfaces import Engine

QUICK: Mapping[str, Any] = {
    "connect_timeout": 1.0,
    "first_byte_timeout": 0.5,
    "idle_timeout": 1.0,
    "max_retries": 2,
    "retry_delay": 0.01,
}
"""Settings with which faults are noticed soon."""


class RemoteSuite:
    """Subclasses give the vendor's double, its engine, and one whole use of it."""

    makes = False
    """A use begins by making something, which is asked for once: again only where the vendor says that it did not."""

    def make_double(self) -> Double:
        """Return the vendor's double, not started."""
        raise NotImplementedError

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        """Return the engine, not open, with the double's address and these settings (``QUICK`` and others)."""
        raise NotImplementedError

    async def use(self, engine: Engine) -> object:
        """Use it once from beginning to end, as a session does; return what came of it, never empty.

        Raises:
            VoiceBackendError: it failed.

        """
        raise NotImplementedError

    @pytest.fixture
    async def double(self) -> AsyncIterator[Double]:
        """Give the double, running."""
        async with self.make_double() as double:
            yield double

    @pytest.fixture
    async def engine(self, double: Double) -> AsyncIterator[Engine]:
        """Give the engine, open."""
        engine = self.make_engine(double, **QUICK)
        await engine.open()
        yield engine
        await engine.aclose()

    async def test_it_works_and_releases_what_it_took(self, double: Double, engine: Engine) -> None:
        """Nothing is billed after the end, and nothing was sent that the vendor does not know."""
        assert await self.use(engine)
        assert await double.released()
        assert not double.garbled

    async def test_it_opens_and_closes_twice(self, double: Double) -> None:
        """Without a session."""
        engine = self.make_engine(double, **QUICK)
        for _ in range(2):
            await engine.open()
        for _ in range(2):
            await engine.aclose()
        assert not double.sockets

    async def test_a_wrong_key_is_told_at_once(self, double: Double) -> None:
        """It is not tried again, and the error does not show it."""
        engine = self.make_engine(double, key="sk-wrong-key", **QUICK)
        with pytest.raises(AuthenticationFailed) as caught:
            await self._used(engine)
        assert "sk-wrong-key" not in f"{caught.value} {caught.value.details}"
        assert len(double.seen) == 1

    async def test_what_is_not_there_is_our_setting(self, double: Double, engine: Engine) -> None:
        """A 404 is not tried again."""
        double.order(Fault(kind="status", status=404))
        with pytest.raises(InvalidConfig):
            await self.use(engine)
        assert len(double.seen) == 1

    async def test_too_many_requests_are_tried_again_when_it_says(self, double: Double, engine: Engine) -> None:
        """Retry-After is kept; the third try is answered."""
        double.order(Fault(kind="status", status=429, retry_after="0.2", times=2))
        started = time.monotonic()
        assert await self.use(engine)
        assert time.monotonic() - started >= 0.4

    async def test_a_wait_that_no_caller_has_is_an_error(self, double: Double, engine: Engine) -> None:
        """Another vendor can be asked at once."""
        double.order(Fault(kind="status", status=429, retry_after="120"))
        with pytest.raises(RateLimitExceeded) as caught:
            await self.use(engine)
        assert caught.value.retry_after == 120
        assert len(double.seen) == 1

    async def test_a_failing_server_is_tried_again(self, double: Double, engine: Engine) -> None:
        """It is answered at last."""
        double.order(Fault(kind="status", status=503, retry_after="0.01" if self.makes else "", times=2))
        assert await self.use(engine)

    async def test_a_server_that_keeps_failing_is_an_error(self, double: Double, engine: Engine) -> None:
        """After the tries that the settings allow."""
        double.order(Fault(kind="status", status=500))
        with pytest.raises(ConnectionFailed):
            await self.use(engine)
        assert len(double.seen) == (1 if self.makes else 3)

    async def test_a_server_that_hangs_is_given_up(self, double: Double, engine: Engine) -> None:
        """In time."""
        double.order(Fault(kind="hang"))
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionTimeout):
                await self.use(engine)

    async def test_nobody_there_is_an_error(self, double: Double) -> None:
        """As where a firewall refuses."""
        engine = self.make_engine(double, **QUICK)
        await double.__aexit__()
        with pytest.raises(ConnectionFailed):
            await self._used(engine)

    @pytest.mark.parametrize("kind", ["garbage", "oversized"])
    async def test_nonsense_is_an_error_of_ours(self, double: Double, engine: Engine, kind: str) -> None:
        """Whatever comes."""
        double.order(Fault(kind=kind))
        async with asyncio.timeout(20):
            with pytest.raises(VoiceBackendError):
                await self.use(engine)

    async def test_the_key_is_in_no_log(self, double: Double, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
        """Not when it works, and not when it fails."""
        with caplog.at_level(logging.DEBUG):
            await self.use(engine)
            double.order(Fault(kind="status", status=500))
            with pytest.raises(VoiceBackendError) as caught:
                await self.use(engine)
            logging.getLogger("test").error("failed", exc_info=caught.value)
        assert KEY not in caplog.text

    async def test_it_is_well_again_after_trouble(self, double: Double, engine: Engine) -> None:
        """A failure leaves nothing behind."""
        double.order(Fault(kind="status", status=503, retry_after="0.01", times=1))
        assert await self.use(engine)
        double.order(None)
        assert await self.use(engine)
        assert await double.released()

    async def _used(self, engine: Engine) -> None:
        try:
            await engine.open()
            await self.use(engine)
        finally:
            await engine.aclose()


class AnswerSuite(RemoteSuite):
    """For engines of which each use asks something that is answered in JSON."""

    async def test_an_answer_that_drips_is_given_up(self, double: Double, engine: Engine) -> None:
        """However steadily it comes: there is always a next byte, and never a last one."""
        double.order(Fault(kind="drip"))
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionTimeout):
                await self.use(engine)
        assert await double.released()


class SocketSuite(RemoteSuite):
    """For engines that use a websocket in each session."""

    @pytest.mark.parametrize(("code", "kind"), [(1011, ConnectionFailed), (1013, RateLimitExceeded)])
    async def test_a_close_code_says_why(
        self, double: Double, engine: Engine, code: int, kind: type[VoiceBackendError]
    ) -> None:
        """The error has the code's meaning."""
        double.order(Fault(kind="close", status=code))
        async with asyncio.timeout(20):
            with pytest.raises(kind):
                await self.use(engine)

    async def test_a_broken_connection_is_an_error(self, double: Double, engine: Engine) -> None:
        """At once."""
        double.order(Fault(kind="drop"))
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionFailed):
                await self.use(engine)
