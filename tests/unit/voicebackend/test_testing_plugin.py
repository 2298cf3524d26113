"""The fixtures that applications test with, as pytest knows them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from voicebackend import SessionConfig
from voicebackend.errors import OperationTimeout, VoiceBackendError
from voicebackend.testing import Caller, LoadReport, MockVoiceBackend, run_load_test
from voicebackend.testing.plot import latency_plot
from voicebackend.testing.plugin import unavailable

ROOT = Path(__file__).parents[3]
PLUGIN = "voicebackend.testing.plugin"
README = ROOT / "voicebackend/testing/README.md"


def _run(folder: Path, program: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a test file in a pytest of its own."""
    (folder / "test_it.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:voicebackend", "-p", PLUGIN, *options, "test_it.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)


def test_pytest_finds_the_plugin() -> None:
    """By an entry point."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"voicebackend": PLUGIN}


@pytest.mark.integration
def test_the_readme_s_tests_pass(tmp_path: Path) -> None:
    """With a real backend, and with one in memory."""
    first = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    done = _run(tmp_path, first, "-p", "asyncio", "-o", "asyncio_mode=auto")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "2 passed" in done.stdout


def test_without_pytest_asyncio_a_fixture_says_what_to_install() -> None:
    """Where it is used."""

    def voice_caller() -> None:
        """Nothing."""

    with pytest.raises(pytest.fail.Exception, match=r'pip install "voicebackend\[testing\]"'):
        unavailable(voice_caller)()


async def test_a_caller_hears_answers_in_turn_and_what_goes_wrong() -> None:
    """An error of the session is raised; silence is a timeout."""

    def answer(said: str) -> str:
        if said == "fail":
            raise RuntimeError(said)
        return "" if said == "hush" else f"You said {said}"

    wanted = SessionConfig(user_id="u", transport="websocket", agent_callback=answer)
    async with MockVoiceBackend() as backend, await backend.create_session(wanted) as session:
        caller = Caller(session, timeout_s=5)
        assert await caller.ask("one") == "You said one"
        assert await caller.ask("two") == "You said two"
        await caller.speak(b"\1\2")
        assert await caller.hear() == "You said mock transcript"
        with pytest.raises(VoiceBackendError, match="the agent raised RuntimeError"):
            await caller.ask("fail")
        with pytest.raises(OperationTimeout, match="nothing in"):
            await Caller(session, timeout_s=0.05).ask("hush")
    with pytest.raises(OperationTimeout, match="ended"):
        await Caller(session).hear()


async def test_a_load_test_s_report_is_a_picture(tmp_path: Path) -> None:
    """Well-formed SVG with the percentiles in words, a bar for each time and all sessions in them."""
    async with MockVoiceBackend(processing_delay=0.01) as backend:
        report = await run_load_test(backend, sessions=4, concurrency=2, duration=0.02)
    assert len(report.latencies) == 4
    assert list(report.latencies) == sorted(report.latencies)
    report.save_plot(tmp_path / "load.svg")
    root = ElementTree.parse(tmp_path / "load.svg").getroot()  # noqa: S314 - our own
    title, *_ = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}title")]
    assert title.startswith("4 of 4 sessions answered: p50 ")
    bars = [rect[0].text for rect in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert sum(int(count or 0) for count in bars) == 4


def test_a_picture_of_nothing_is_one() -> None:
    """All sessions failed: the axis is there, and how many failed."""
    report = LoadReport(sessions=3, succeeded=0, p50=0, p95=0, p99=0, errors={"timeout": 3})
    assert "0 of 3 sessions answered, 3 failed" in report.plot()
    assert "&lt;" in latency_plot([0.2], {"<": 0.1}, "a & b")
