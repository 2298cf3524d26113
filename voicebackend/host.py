"""Runs several services in one process and one event loop: ``python -m voicebackend.host module:serve module:serve …``.

A service is an async context manager factory ``serve(config, deployment, *, remote)``, known here by its name only.
Configuration and addresses come from the environment. One line of JSON on stdout says that all of them are up,
``{"url", "api_key", "pid"}``, or why they are not, ``{"error": {"code", "message", "details"}}``. It ends on SIGTERM,
SIGINT, or when its stdin closes, which happens when its parent is gone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # sessions share the cores: before numpy is imported

import asyncio
import json
import logging
import signal
import stat
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from voicebackend._importer import load
from voicebackend.config import BackendConfig
from voicebackend.errors import PipelineError, VoiceBackendError, as_error
from voicebackend.process import loop_factory, observe, settle
from voicebackend.remote import Remote, use
from voicebackend.settings import Deployment

logger = logging.getLogger(__name__)


async def run(names: Sequence[str], config: BackendConfig, deployment: Deployment) -> None:
    """Run the services until told to end; each ends before the ones entered earlier."""
    ended = _end_signal()
    async with AsyncExitStack() as stack:
        remote = await stack.enter_async_context(Remote(deployment.audio_url, deployment.keys))
        use(remote)
        ready: dict[str, Any] = {"pid": os.getpid()}
        for name in names:
            serve = load(name, field="service")
            service = await stack.enter_async_context(serve(config, deployment, remote=remote))
            ready |= {key: getattr(service, key) for key in ("url", "api_key") if hasattr(service, key)}
        settle()
        _say(ready)
        await ended.wait()


def _end_signal() -> asyncio.Event:
    """Return what is set by SIGTERM, SIGINT, or the end of stdin."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    kind = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):  # from a terminal or a file, only signals end it
        loop.add_reader(sys.stdin.fileno(), read)
    return ended


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _problem(error: Exception) -> dict[str, Any]:
    ours: VoiceBackendError = as_error(error) or PipelineError("host", f"{type(error).__name__} at start: see the log")
    details = {name: value for name, value in ours.details.items() if isinstance(value, str | int | list)}
    return {"error": {"code": str(ours.code), "message": ours.message, "details": details}}


def main(names: Sequence[str]) -> int:
    """Run the named services; return the exit code."""
    try:
        config, deployment = BackendConfig.from_env(), Deployment.from_env()
        observe("voicebackend", config)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run(names, config, deployment))
    except Exception as error:
        _say(_problem(error))
        if as_error(error) is None:
            logger.exception("the host failed")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
