"""The commands as a user types them, against a double of control."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from control_double import KEY, SESSION, ControlDouble, Line, control_double, greet
from rich.console import Console
from typer.testing import CliRunner

from voicebackend.audio import from_floats
from voicebackend.cli.main import app
from voicebackend.cli.report import medians
from voicebackend.cli.view import waterfall
from voicebackend.codecs.wav import write_wav
from voicebackend.errors import ErrorCode
from voicebackend.events import AudioEnd, AudioStart, Error, Latency, State, Transcript, Turn
from voicebackend.session import PipelineState

LATENCY = Latency(end_of_turn=300, stt_final=10, agent_ttft=20, tts_ttfb=30, e2e=360)


async def run(double: ControlDouble | None, *arguments: str) -> Any:
    """Run a command in a thread, as it has an event loop of its own."""
    where = ["--url", double.url, "--api-key", KEY] if double else []
    return await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *where])


@pytest.fixture
async def double() -> AsyncIterator[ControlDouble]:
    """Give a double of control whose agent answers as soon as it hears a voice."""
    async with control_double() as running:
        running.scripts = [answer]
        yield running


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Give 200 ms of a tone and 100 ms of nothing, at 8 kHz."""
    tone = from_floats(0.5 * np.sin(np.arange(1600) / 3))
    write_wav(tmp_path / "tone.wav", tone + bytes(1600), sample_rate=8000)
    return tmp_path / "tone.wav"


async def answer(line: Line, *, failing: bool = False) -> None:
    """Play a gateway and an agent: wait for the tone and its end, then speak for 40 ms."""
    await greet(line)
    await line.tell(State(state=PipelineState.LISTENING))
    while not any(await line.hear()):
        pass
    while any(await line.hear()):
        pass
    await line.tell(Transcript(role="user", text="a tone", final=False, turn=1))
    await line.tell(Transcript(role="user", text="a [tone]", final=True, turn=1))
    if failing:
        await line.tell(Error(code=ErrorCode.AGENT_ERROR, message="it raised"))
    await line.tell(State(state=PipelineState.SPEAKING))
    await line.tell(AudioStart(turn=1))
    await line.tell(Turn(turn=1, latency_ms=LATENCY))
    for _ in range(2):
        await line.tell(bytes(320))
    await line.tell(AudioEnd(turn=1))
    await line.tell(Transcript(role="agent", text="thank you", final=True, turn=1))
    await line.tell(State(state=PipelineState.LISTENING))


async def test_a_call_plays_the_file_and_reports_the_answer(
    double: ControlDouble, recording: Path, tmp_path: Path
) -> None:
    """Transcript and waterfall are shown; the report has what programs need."""
    done = await run(double, "call", str(recording), "--agent", "greeter", "--json", str(tmp_path / "out.json"))
    assert done.exit_code == 0, done.output
    for shown in ("a [tone]", "thank you", "waiting whether you go on", "300 ms"):
        assert shown in done.output
    report = json.loads((tmp_path / "out.json").read_text())
    heard = report["turns"][0]["latency_ms"].pop("heard")
    assert 0 < heard < 2000
    assert report == {
        "session": SESSION,
        "turns": [{"turn": 1, "user": "a [tone]", "agent": "thank you", "latency_ms": LATENCY.model_dump()}],
        "agent_audio_s": 0.04,
        "frames_late": 0,
        "error": None,
    }
    created = next(body for method, path, body in double.requests if (method, path) == ("POST", "/v1/sessions"))
    assert created["agent"] == "greeter"
    assert "provider" not in created
    assert double.lines[0].said[-1].sample_rate == 8000


async def test_an_error_during_the_call_is_reported(double: ControlDouble, recording: Path, tmp_path: Path) -> None:
    """The exit code is 1, the code and message stand in the report and on the screen."""
    double.scripts = [lambda line: answer(line, failing=True)]
    done = await run(double, "call", str(recording), "--json", str(tmp_path / "out.json"))
    assert done.exit_code == 1
    assert "agent_error" in done.output
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["error"] == {"code": "agent_error", "message": "it raised"}
    assert report["turns"][0]["agent"] == "thank you"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["call", "missing.wav", "--url", "http://x", "--api-key", "k"], "invalid_format"),
        (["call", "RECORDING", "--url", "http://127.0.0.1:1", "--api-key", "k"], "connection_failed"),
        (["call", "RECORDING", "--url", "http://127.0.0.1:1"], "invalid_config"),
    ],
)
async def test_a_call_that_cannot_begin_is_reported_too(
    arguments: Sequence[str], code: str, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong, the report is written and the exit code is 1."""
    monkeypatch.setenv("VOICEBACKEND_HOME", str(tmp_path))
    monkeypatch.delenv("VOICEBACKEND_API_KEY", raising=False)
    given = [str(recording) if argument == "RECORDING" else argument for argument in arguments]
    done = await run(None, *given, "--json", str(tmp_path / "out.json"))
    assert done.exit_code == 1
    report = json.loads((tmp_path / "out.json").read_text())
    assert (report["error"]["code"], report["turns"], report["session"]) == (code, [], None)


async def test_sessions_are_listed_for_people_and_programs(double: ControlDouble) -> None:
    """A table, or JSON."""
    assert SESSION in (await run(double, "sessions")).output
    listed = json.loads((await run(double, "sessions", "--json")).output)
    assert listed[0]["id"] == SESSION


async def test_providers_are_listed_with_what_they_can_do(double: ControlDouble) -> None:
    """Transports, pipelines and free slots."""
    capabilities = {"transports": ["websocket"], "pipelines": ["stt_tts"], "uses_agent": False}
    common = {"workers": 2, "installed": True, "install": None, "health": "degraded", "config_schema": {}}
    provider = {**common, "name": "far", "capabilities": capabilities, "slots_free": None}
    engine = {**common, "name": "ear", "role": "stt", "capabilities": {"remote": True}}
    absent = {**engine, "name": "nose", "installed": False, "install": 'pip install "voicebackend[nose]"'}
    double.problems = [web.json_response({"providers": [provider], "engines": [engine, absent]})]
    output = (await run(double, "providers")).output
    for shown in ("far", "websocket", "its own", "unlimited", "degraded", "ear", "at its vendor", "[nose]"):
        assert shown in output


async def test_a_command_without_a_backend_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear line and exit code 1, no traceback."""
    monkeypatch.setenv("VOICEBACKEND_HOME", str(tmp_path))
    monkeypatch.delenv("VOICEBACKEND_CONTROL_URL", raising=False)
    done = await run(None, "sessions")
    assert done.exit_code == 1
    assert "voicebackend up" in done.output
    assert "Traceback" not in done.output


def test_a_waterfall_adds_up() -> None:
    """The stages follow one another, and what is left of the time is the way."""
    screen = io.StringIO()
    Console(width=100, file=screen).print(waterfall({**LATENCY.model_dump(), "heard": 400.0}))
    shown = screen.getvalue().splitlines()
    assert [line.split()[-2] for line in shown] == ["300", "10", "20", "30", "40", "400"]
    starts = [line.index("━") for line in shown[:-1]]
    assert starts == sorted(starts)


def test_medians_are_over_the_turns_that_were_measured() -> None:
    """A turn without an answer does not count."""
    turns: list[dict[str, Any]] = [{"latency_ms": {"e2e": 100.0}}, {"latency_ms": {}}, {"latency_ms": {"e2e": 300.0}}]
    assert medians({"turns": turns}) == {"e2e": 200.0}
