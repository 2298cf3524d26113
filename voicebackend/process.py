"""What the ``__main__`` of every asyncio process does: telemetry, signals, one clear line when it cannot start."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig, VoiceBackendError, as_error
from voicebackend.metrics_endpoint import endpoint
from voicebackend.telemetry_setup import configure

logger = logging.getLogger(__name__)

LOG_LEVEL = "VOICEBACKEND_LOG_LEVEL"
GC_THRESHOLD = (10_000, 20, 20)
"""Objects made before the youngest are looked at, and how many of such looks before older ones are."""


def log_level(environ: Mapping[str, str] = os.environ) -> str:
    """Return from which level on this process logs, ``INFO`` by default; raises InvalidConfig if there is no such."""
    level = environ.get(LOG_LEVEL, "INFO").upper()
    if level not in logging.getLevelNamesMapping():
        message = f"{LOG_LEVEL}: DEBUG, INFO, WARNING, ERROR or CRITICAL"
        raise InvalidConfig("process", message, details={"field": LOG_LEVEL})
    return level


def observe(service: str, config: BackendConfig, *, serving: bool = True) -> None:
    """Set up traces, metrics and logs as the configuration wants them; serve metrics if ``serving``.

    Raises:
        InvalidConfig: the environment asks for what cannot be had.

    """
    configure(
        service,
        tracing=config.enable_tracing,
        metrics=config.enable_metrics,
        structured_logging=config.enable_structured_logging,
        level=log_level(),
    )
    if serving:
        endpoint.serve()


def run(service: str, serve: Callable[[BackendConfig], AbstractAsyncContextManager[Any]]) -> None:
    """Run a service until SIGTERM or SIGINT, then leave its context; exits with 0, or 1 if it could not start."""
    try:
        config = BackendConfig.from_env()
        observe(service, config)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_until_signalled(serve(config)))
    except VoiceBackendError as error:
        sys.exit(_told(service, error))
    except BaseExceptionGroup as group:
        first = as_error(_first(group))
        if first is None:
            raise
        sys.exit(_told(service, first))


def _first(error: BaseException) -> BaseException:
    """Return the first error of groups within groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _told(service: str, error: VoiceBackendError) -> int:
    print(f"{service}: {error}", file=sys.stderr)  # noqa: T201 - the line a person reads
    return 1


async def _until_signalled(serving: AbstractAsyncContextManager[Any]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving:
        settle()
        await stop.wait()
        logger.info("stopping")


def settle() -> None:
    """Once everything is loaded: let the garbage collector leave it alone, and look less often.

    Otherwise it walks modules and models hundreds of thousands of objects long while a caller waits for a frame.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes this platform's best event loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
