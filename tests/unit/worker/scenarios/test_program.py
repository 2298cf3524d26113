"""The program tells what it held, what went wrong, and whether all went well."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voicebackend.cli.main import app
from worker.scenarios.__main__ import main

GOOD = """\
name: A question is answered
agent: [Two hundred dollars.]
caller:
  - say: What is my balance?
  - listen
expect: {heard: [Two hundred dollars.]}
audio: a test of the program
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Give a scenario that goes well."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """Give a scenario that expects something else."""
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace("{heard: [Two", "{heard: [Three"), encoding="utf-8")
    return path


def test_a_scenario_that_goes_well_is_one_line_and_a_summary(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0."""
    assert main([str(good)]) == 0
    line, summary = capsys.readouterr().out.splitlines()
    assert line.startswith(f"✓ {good}  A question is answered (1 turn, ")
    assert summary.startswith("1 scenario, 1 passed, turns 1, completed without retry 1 (100.0%)")


def test_a_scenario_that_does_not_shows_what_was_expected_and_what_was_seen(
    good: Path, bad: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, also if others went well."""
    assert main([str(good), str(bad)]) == 1
    out = capsys.readouterr().out
    assert "  - Three hundred dollars.\n" in out
    assert "  + Two hundred dollars.\n" in out
    assert "s  understood What is my balance?" in out
    assert "2 scenarios, 1 passed" in out


def test_the_report_for_programs_has_everything(good: Path, bad: Path, tmp_path: Path) -> None:
    """With each event and its time."""
    main([str(good), str(bad), "--json", str(tmp_path / "report.json")])
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["passed"], report["turns"], report["without_retry"], report["share"]) == (1, 2, 2, 1.0)
    assert [scenario["ok"] for scenario in report["scenarios"]] == [True, False]
    kinds = [event["kind"] for event in report["scenarios"][0]["events"]]
    assert kinds[0] == "connected"
    assert "understood" in kinds


def test_several_processes_say_the_same_in_the_same_order(
    good: Path, bad: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only faster."""
    assert main([str(bad), str(good), "--jobs", "2"]) == 1
    marks = [line[0] for line in capsys.readouterr().out.splitlines() if line[0] in "✓✗"]
    assert marks == ["✗", "✓"]


def test_what_cannot_be_held_with_real_engines_is_left_out_with_its_reason(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And counts neither as passed nor as failed."""
    assert main([str(good), "--audio"]) == 0
    out = capsys.readouterr().out
    assert "(left out: a test of the program)" in out
    assert "0 passed, 1 left out" in out


def test_a_file_that_is_no_scenario_is_told_before_anything_is_held(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its line, on the other channel."""
    (tmp_path / "wrong.yaml").write_text("name: Wrong\ncaler: []\n", encoding="utf-8")
    assert main([str(good), str(tmp_path / "wrong.yaml")]) == 1
    told = capsys.readouterr()
    assert "wrong.yaml" in told.err
    assert told.out == ""


def test_a_conversation_that_breaks_fails_alone(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the caller waits for in vain is told; the others are held."""
    broken = tmp_path / "broken.yaml"
    broken.write_text(GOOD.replace("- listen", "- hear: never said"), encoding="utf-8")
    assert main([str(broken), str(good)]) == 1
    out = capsys.readouterr().out
    assert "the caller waited in vain for hears: never said" in out
    assert "2 scenarios, 1 passed" in out


async def test_the_command_line_holds_scenarios_in_a_process_of_its_own(good: Path, bad: Path, tmp_path: Path) -> None:
    """Its exit code and report are those of the program."""
    report = tmp_path / "report.json"
    passed = await asyncio.to_thread(CliRunner().invoke, app, ["test", str(good), "--json", str(report)])
    assert passed.exit_code == 0
    assert json.loads(report.read_text())["passed"] == 1
    failed = await asyncio.to_thread(CliRunner().invoke, app, ["test", str(good), str(bad), "--jobs", "2"])
    assert failed.exit_code == 1
    missing = await asyncio.to_thread(CliRunner().invoke, app, ["test", str(tmp_path / "nowhere.yaml")])
    assert missing.exit_code == 2
