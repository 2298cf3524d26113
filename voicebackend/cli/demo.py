"""``voicebackend demo``: a spoken conversation through five real processes, checked word by word and by ear."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from voicebackend.audio import PIPELINE_RATE
from voicebackend.cli.caller import Caller, TurnHeard
from voicebackend.cli.logs import FileLog
from voicebackend.cli.report import call_report, medians
from voicebackend.cli.script import Check, Line, check_latency, check_trace, check_turn, read_script
from voicebackend.cli.stack import Stack, development_config, free_port
from voicebackend.cli.target import Target
from voicebackend.cli.view import CallView
from voicebackend.codecs.wav import read_wav, write_wav
from voicebackend.errors import PipelineError, VoiceBackendError
from voicebackend.settings import Deployment

TRANSCRIBE_S = 60.0
"""Seconds for loading the recogniser and reading back all answers."""
FIRST_BREATH_S = 0.3
"""Seconds that the caller waits before the first word."""


async def hold_demo(folder: Path, console: Console) -> dict[str, Any]:
    """Hold the conversation and return its report with ``checks`` and ``medians``.

    Leaves ``conversation.wav`` (left caller, right agent) and ``stack.log`` in the folder, which must be there.
    """
    caller, answers = Caller(PIPELINE_RATE, view := CallView(console)), list[TurnHeard]()
    script, failed, checks = read_script(), None, list[Check]()
    try:
        with tempfile.TemporaryDirectory(prefix="voicebackend-") as home, (folder / "stack.log").open("w") as log:
            await _converse(script, caller, answers, home=Path(home), log=FileLog(log), console=console)
            write_wav(folder / "conversation.wav", *caller.tracks(), sample_rate=PIPELINE_RATE)
            checks = await _judge(script, caller, answers, Path(home))
    except VoiceBackendError as error:
        failed = error
    finally:
        view.close()
    report = call_report(caller, failed or caller.error)
    middle = medians(report)
    log_lines = (folder / "stack.log").read_text(encoding="utf-8").splitlines()
    checks += [check_latency(middle.get("heard")), check_trace(log_lines)]
    return {**report, "checks": [asdict(check) for check in checks], "medians": middle}


async def _converse(
    script: Sequence[Line], caller: Caller, answers: list[TurnHeard], *, home: Path, log: FileLog, console: Console
) -> None:
    key = secrets.token_urlsafe(32)
    deployment = Deployment(port=free_port(), home=home, api_keys={key: "default"})
    stack = Stack(deployment, development_config(None), log)
    with console.status("starting Redis, control, worker, Celery and beat …"):
        await stack.__aenter__()
    try:
        console.print(f"[dim]{len(stack.processes)} processes are up; the conversation:[/dim]")
        target = Target(url=stack.url, api_key=key)
        async with caller.calling(target, agent="demo"):
            await asyncio.sleep(FIRST_BREATH_S)
            for line in script:
                await caller.say(read_wav(line.file)[0])
                answers.append(await caller.listen())
    finally:
        with console.status("ending …"):
            await stack.__aexit__()


async def _judge(script: Sequence[Line], caller: Caller, answers: Sequence[TurnHeard], folder: Path) -> list[Check]:
    """Compare the conversation with its script, and what could be heard with what was to be said."""
    files = [folder / f"answer-{turn.turn}.wav" for turn in answers]
    for file, turn in zip(files, answers, strict=True):
        write_wav(file, caller.player.turn_pcm(turn.turn), sample_rate=caller.sample_rate)
    audible = await _transcribe(files)
    return [
        check
        for number, (line, turn, heard) in enumerate(zip(script, answers, audible, strict=True), start=1)
        for check in check_turn(number, line, understood=turn.user, answer=turn.agent, audible=heard)
    ]


async def _transcribe(files: Sequence[Path]) -> list[str]:
    """Let a recogniser, in a process of its own, hear what the agent said."""
    command = [sys.executable, "-m", "providers.transcribe", *map(str, files)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TRANSCRIBE_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise PipelineError("demo", "the answers could not be transcribed in time") from error
    if process.returncode:
        raise PipelineError("demo", f"the answers could not be transcribed: {err.decode('utf-8', 'replace').strip()}")
    return [json.loads(line)["text"] for line in out.splitlines()]
