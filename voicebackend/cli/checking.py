"""``voicebackend providers check``: whether a vendor takes our credentials, tried in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from voicebackend.errors import OperationTimeout, PipelineError

CHECK_S = 120.0
"""Seconds that everything by one name may take."""


async def check_provider(name: str, config: Path | None) -> list[dict[str, Any]]:
    """Return ``{"role", "name", "error"}`` for each thing by this name; an error has ``code, message, advice``.

    The configuration is a YAML file's, with the environment's variables over it.

    Raises:
        OperationTimeout: it took too long.
        PipelineError: it could not be tried at all.

    """
    environment = {**os.environ, **({"VOICEBACKEND_CONFIG": str(config)} if config else {})}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "providers.check", "--", name),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # whatever packages say there may show a key
        env=environment,
    )
    try:
        async with asyncio.timeout(CHECK_S):
            out, _ = await process.communicate()
    except TimeoutError as error:
        raise OperationTimeout("check", f"{name} could not be tried within {CHECK_S:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = [json.loads(line) for line in out.splitlines()]
    if not found:
        raise PipelineError("check", f"{name} could not be tried: python -m providers.check {name} says why")
    return found
