"""Says what is spoken in a file: ``python -m providers.transcribe [--engine NAME] FILE.wav …``, one line of JSON each.

A program of its own, so that the command line can check what was audible without loading an engine itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import wave
from collections.abc import Sequence
from pathlib import Path

from providers.registry import STT
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, resample
from voicebackend.errors import InvalidFormat, VoiceBackendError
from voicebackend.interfaces import SpeechToText

PIECE_S = 0.2
"""Seconds of audio pushed at once."""


async def transcribe(engine: SpeechToText, pcm: bytes) -> str:
    """Return what is said in 16 kHz audio; the engine is open."""
    stream = await engine.stream(lambda _: None)
    step = round(PIECE_S * PIPELINE_RATE) * SAMPLE_BYTES
    try:
        for at in range(0, len(pcm), step):
            await stream.push(pcm[at : at + step])
        return (await stream.finish()).text
    finally:
        await stream.aclose()


def read(path: Path) -> bytes:
    """Return a 16-bit mono file's audio at 16 kHz.

    Raises:
        InvalidFormat: it is no such file.

    """
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != SAMPLE_BYTES or file.getnchannels() != 1:
                raise InvalidFormat("transcribe", f"{path}: 16-bit mono is needed")
            return resample(file.readframes(file.getnframes()), file.getframerate(), PIPELINE_RATE)
    except (OSError, EOFError, wave.Error) as error:
        raise InvalidFormat("transcribe", f"{path}: not a WAV file that can be read") from error


async def run(name: str, paths: Sequence[Path]) -> None:
    """Print ``{"file", "text"}`` for each file."""
    engine = STT.create(name)
    await engine.open()
    try:
        for path in paths:
            text = await transcribe(engine, read(path))
            print(json.dumps({"file": str(path), "text": text}), flush=True)  # noqa: T201 - what it is for
    finally:
        await engine.aclose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 1 if a file or the engine cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m providers.transcribe")
    parser.add_argument("--engine", default="moonshine")
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    try:
        asyncio.run(run(given.engine, given.files))
    except VoiceBackendError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line that says why
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
