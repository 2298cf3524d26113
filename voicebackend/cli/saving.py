"""What is downloaded, into a file for its owner's eyes, or to standard output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from voicebackend.errors import InvalidConfig


async def save(pieces: AsyncIterator[bytes], path: Path | None) -> int:
    """Write what comes, and return how many bytes; a file is there once it is whole, and not at all if it fails.

    Raises:
        InvalidConfig: the file cannot be written.
        VoiceBackendError: as ``pieces``.

    """
    if path is None:
        return await _copy(pieces, sys.stdout.fileno())
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            size = await _copy(pieces, file)
        finally:
            os.close(file)
        await asyncio.to_thread(part.replace, path)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or type(error).__name__}"
        raise InvalidConfig("save", message, details={"field": "output"}) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return size


async def _copy(pieces: AsyncIterator[bytes], file: int) -> int:
    size = 0
    async for piece in pieces:
        left = memoryview(piece)
        while left:
            left = left[await asyncio.to_thread(os.write, file, left) :]
        size += len(piece)
    return size
