"""What is wrong in a scenario file is told with its file, line and field."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from voicebackend.errors import InvalidConfig
from worker.scenarios.loader import find, load
from worker.scenarios.sightings import Kind
from worker.scenarios.steps import HangUp, Hear, Listen, Pause, Say

GOOD = """\
name: A question is answered
agent: [Two hundred dollars.]
caller:
  - say: What is my balance?
  - pause: 300 ms
  - hear: two hundred
  - listen
  - hang up
expect:
  order:
    - understood: balance
    - {pause: , within: 1.5 s}
    - clear
"""


def _written(folder: Path, text: str) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def test_a_scenario_is_read_with_its_short_forms(tmp_path: Path) -> None:
    """Steps by their first word, times with units, sightings as a kind alone or with its text."""
    scenario = load(_written(tmp_path, GOOD)).scenario
    assert [type(step) for step in scenario.caller] == [Say, Pause, Hear, Listen, HangUp]
    assert isinstance(scenario.caller[1], Pause)
    assert scenario.caller[1].pause == pytest.approx(0.3)
    assert [sighting.kind for sighting in scenario.expect.order] == [Kind.UNDERSTOOD, Kind.PAUSE, Kind.CLEAR]
    assert scenario.expect.order[1].within == pytest.approx(1.5)
    assert scenario.agent.replies[0].say[0].text == "Two hundred dollars."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(("name:", "nmae:"), ":1: nmae: Extra inputs are not permitted", id="unknown key"),
        pytest.param(("  - pause: 300 ms", "  - wait: 300 ms"), ":5: caller[1]: a step begins with", id="unknown step"),
        pytest.param(("300 ms", "300 miles"), ":5: caller[1].pause: '300 miles' is no time", id="no time"),
        pytest.param(("    - clear", "    - claer"), ":13: expect.order[2]: name one of", id="unknown sighting"),
        pytest.param(("within", "wihtin"), ":12: expect.order[1]: name one of", id="unknown key of a sighting"),
        pytest.param(("agent:", "name:"), ":2: name is there twice", id="a key twice"),
        pytest.param(("  - listen", "  - [listen"), "not YAML", id="not YAML"),
        pytest.param(("agent: [", "pipeline: s3s\nagent: ["), ":2: pipeline: Input should be", id="unknown pipeline"),
        pytest.param(
            ("agent: [", "conversation: {away: {after: -1 s}}\nagent: ["),
            ":2: conversation.away.after:",
            id="a setting out of range",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    """So that the file can be mended without reading ours."""
    path = _written(tmp_path, GOOD.replace(*change, 1))
    with pytest.raises(InvalidConfig) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("agent: {in_loop: true}", "in_loop"),
        ("sessions: 0", "sessions"),
        ("engines: {tts: {speed: 0}}", "engines.tts.speed"),
        ("expect: {counts: {turn: 1}}", "expect.counts.turn"),
        ("expect: {history: [{user: a, agent: b}]}", "one of 'user' and 'agent'"),
        ("expect: {order: [{clear: , after: 2 s, within: 1 s}]}", "'after' is later than 'within'"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, extra: str, told: str) -> None:
    """Before anything is held."""
    name = extra.partition(":")[0]
    rest = {"agent": "", "expect": "expect: {}\n"}
    rest[name] = extra + "\n"
    text = "name: Something\ncaller: [listen]\n" + rest.pop("agent") + rest.pop("expect") + "".join(rest.values())
    with pytest.raises(InvalidConfig, match=told):
        load(_written(tmp_path, text))


def test_a_folder_without_scenarios_is_refused(tmp_path: Path) -> None:
    """A mistyped path must not pass for success."""
    with pytest.raises(InvalidConfig, match="no scenario here"):
        find([tmp_path])
    with pytest.raises(InvalidConfig, match="no scenario here"):
        find([tmp_path / "nowhere"])


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Bytes that are no text, or far too many."""
    path = tmp_path / "scenario.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidConfig, match="cannot be read"):
        load(path)
    path.write_text("#" * 70_000, encoding="utf-8")
    with pytest.raises(InvalidConfig, match="at most 64 KiB"):
        load(path)
