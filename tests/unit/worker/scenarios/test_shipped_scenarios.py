"""Every scenario that ships goes as it says, the same each time, and stands in the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voicebackend import virtual_time
from worker.scenarios.casting import ScriptedCast
from worker.scenarios.loader import find, load
from worker.scenarios.report import details
from worker.scenarios.runner import Result, run_file
from worker.scenarios.seen import Seen
from worker.scenarios.stage import hold

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "scenarios"
FILES = find([FOLDER])
MIN_SHIPPED = 40
MIN_WITHOUT_RETRY = 0.99


def _id(path: Path) -> str:
    return str(path.relative_to(FOLDER))


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_a_scenario_goes_as_it_says_twice(path: Path) -> None:
    """What it expects is seen, 99 of 100 turns are completed without a retry, and a second run is the same."""
    result, again = run_file(path), run_file(path)
    assert result.ok, "\n".join(details(result))
    assert result.outcome.share is None or result.outcome.share >= MIN_WITHOUT_RETRY
    assert _facts(result) == _facts(again)


def _facts(result: Result) -> list[str]:
    return [f"{event.at:.6f} {event.kind} {event.text} {event.detail}" for event in result.events]


def test_there_is_a_scenario_for_every_behaviour() -> None:
    """At least forty ship, in a folder for each behaviour."""
    folders = {path.parent.name for path in FILES}
    assert len(FILES) >= MIN_SHIPPED
    assert folders >= {"endpointing", "barge-in", "heard-context", "speculation", "speech", "s2s", "audio-path"}
    assert folders >= {"silence", "errors", "many"}


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_the_readme_names_every_scenario(path: Path) -> None:
    """Under its own name, so that the README can be read instead of the files."""
    name = load(path).scenario.name
    link = f"[`{_id(path)}`]({_id(path)})"
    assert f"| {link} | {name} |" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_readme_says_how_many_are_left_out_with_real_engines() -> None:
    """Those that need a model, and those that say why not."""
    scenarios = [load(path).scenario for path in FILES]
    left_out = [scenario for scenario in scenarios if scenario.only_scripted]
    of_models = sum(scenario.pipeline == "s2s" for scenario in left_out)
    told = (FOLDER / "README.md").read_text(encoding="utf-8")
    held = len(FILES) - len(left_out)
    assert f"Of the {len(FILES)} files `--audio` holds {held} and leaves out {len(left_out)}: {of_models} need" in told
    assert f"each of the other {len(left_out) - of_models}" in " ".join(told.split())


def _examples() -> list[str]:
    pages = (FOLDER / "README.md", ROOT / "README.md")
    block = re.compile(r"^```yaml\n(name: .*?)^```", re.MULTILINE | re.DOTALL)
    return [text for page in pages for text in block.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("text", _examples())
def test_the_examples_of_the_readmes_go_as_they_say(text: str, tmp_path: Path) -> None:
    """They are scenarios like any other."""
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
    result = run_file(tmp_path / "example.yaml")
    assert result.ok, "\n".join(details(result))


def test_conversations_in_one_loop_see_nothing_of_each_other() -> None:
    """Five callers interrupt at once: each hears and is remembered with a number of their own, and no other."""
    seen = _hold(FOLDER / "many" / "interrupt_at_once.yaml")
    names = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
    for one in seen:
        said = " ".join([*one.heard.values(), *(line.text for _, line in one.history)]).lower()
        mentioned = set(re.findall(r"caller (\w+)", said))
        assert mentioned == {names[one.number], str(one.number)}


def _hold(path: Path) -> list[Seen]:
    return virtual_time.run(hold(load(path).scenario, ScriptedCast()))
