"""``python -m control``: the HTTP API and gateway, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop

from control.service import serve
from voicebackend.config import BackendConfig
from voicebackend.errors import VoiceBackendError
from voicebackend.settings import Deployment
from voicebackend.telemetry import configure


async def run(config: BackendConfig, deployment: Deployment) -> None:
    """Serve until a signal asks to stop."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serve(config, deployment):
        await stop.wait()


def main() -> int:
    """Return the exit code: 0 after a signal, 1 if the start failed."""
    try:
        config, deployment = BackendConfig.from_env(), Deployment.from_env()
        configure("control", tracing=config.enable_tracing, structured_logging=config.enable_structured_logging)
        uvloop.run(run(config, deployment))
    except VoiceBackendError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line that says why it did not start
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
