"""``voicebackend call FILE.wav``: play a file as a caller in real time, and listen to the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from voicebackend.cli.caller import Caller
from voicebackend.cli.report import call_report
from voicebackend.cli.target import Target
from voicebackend.cli.view import CallView
from voicebackend.codecs.wav import read_wav
from voicebackend.errors import VoiceBackendError


async def place_call(file: Path, target: Target, *, agent: str, console: Console) -> dict[str, Any]:
    """Play the file, wait until the agent has answered and fallen silent, and return the report.

    Raises:
        InvalidFormat: the file cannot be played; nothing was sent.

    """
    pcm, sample_rate = read_wav(file)
    view = CallView(console)
    caller = Caller(sample_rate, view)
    failed: VoiceBackendError | None = None
    try:
        async with caller.calling(target, agent=agent):
            await caller.say(pcm)
            await caller.listen()
    except VoiceBackendError as error:
        failed = error
    finally:
        view.close()
    return call_report(caller, failed or caller.error)
