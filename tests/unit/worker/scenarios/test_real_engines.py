"""The same files with the offline engines: real speech in, real speech out, heard back by a recogniser."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.scenarios.report import details
from worker.scenarios.runner import run_file
from worker.scenarios.wording import alike, begins, has

FOLDER = Path(__file__).parents[4] / "scenarios"


@pytest.mark.parametrize("name", ["barge-in/interruption", "barge-in/cough", "heard-context/phone_that_reports"])
def test_a_scenario_goes_as_it_says_with_real_engines(name: str) -> None:
    """Interrupted, not interrupted, and remembered as it was heard."""
    result = run_file(FOLDER / f"{name}.yaml", audio=True)
    assert result.ok, "\n".join(details(result))
    assert result.outcome.turns >= 1


def test_real_engines_in_virtual_time_do_the_same_twice() -> None:
    """Threads take no virtual time, so only the models decide."""
    runs = [run_file(FOLDER / "endpointing" / "short_answer.yaml", audio=True) for _ in range(2)]
    first, second = ([(round(event.at, 6), event.kind, event.text) for event in run.events] for run in runs)
    assert first == second
    assert len(first) > 10


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Two hundred dollars.", "$200"),
        ("Four one five.", "415"),
        ("Goodbye then.", "Good-bye, then."),
        ("It is booked.", "It is bucked."),
    ],
)
def test_what_sounds_alike_is_alike_however_it_is_written(said: str, heard: str) -> None:
    """Numbers, hyphens, a vowel."""
    assert alike(said, heard)
    assert begins(f"{heard} And more of it.", said)
    assert has(f"Well, {heard}", said)


@pytest.mark.parametrize("heard", ["", "Three thousand euros.", "Something else altogether"])
def test_other_words_are_not_alike(heard: str) -> None:
    """Nor is nothing at all."""
    assert not alike("Two hundred dollars.", heard)
    assert not begins(heard, "Two hundred dollars.")
    assert not has(heard, "Two hundred dollars.")
