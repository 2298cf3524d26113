"""Everything by name that a worker could run: written once, not with every sign of life.

To tell it, every engine's module is imported. That is done in a process of its own, of the lowest priority, so that no
call has to wait for it, and no worker keeps in memory what it does not run: ``python -m worker.catalogue`` prints it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from dataclasses import dataclass

from redis.asyncio import Redis

from providers.registry import ENGINES, PROVIDERS
from voicebackend.errors import PipelineError
from voicebackend.keys import Keys

CATALOGUE_TTL_S = 60
"""Seconds that a catalogue outlives the last worker that has it."""
KEEP_S = 20.0
"""Seconds after which a worker renews it."""
READ_S = 120.0
"""Seconds that reading it may take."""
_LEAST = 19


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Capabilities, settings and installation of every provider and engine."""

    id: str
    """By which workers with the same share one."""
    content: str
    """JSON: by role, ``provider`` among them, what ``Description.to_dict`` tells of each."""


def described() -> str:
    """Return the content of this machine's catalogue."""
    registries = {"provider": PROVIDERS, **ENGINES}
    found = {role: [one.to_dict() for one in registry.describe()] for role, registry in registries.items()}
    return json.dumps(found, sort_keys=True)


async def read_catalogue() -> Catalogue:
    """Return what can be run here.

    Raises:
        PipelineError: it could not be read.

    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker.catalogue"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(READ_S):
            content, _ = await process.communicate()
    except TimeoutError as error:
        raise PipelineError("catalogue", f"it could not be read within {READ_S:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise PipelineError("catalogue", "it could not be read: python -m worker.catalogue says why")
    return Catalogue(hashlib.sha256(content).hexdigest()[:16], content.decode())


async def keep_catalogue(state: Redis, keys: Keys, found: Catalogue) -> None:
    """Let it live on, written anew if it is not there."""
    key = keys.catalogue(found.id)
    if not await state.expire(key, CATALOGUE_TTL_S):
        await state.set(key, found.content, ex=CATALOGUE_TTL_S)


if __name__ == "__main__":
    os.nice(_LEAST)
    sys.stdout.write(described())
