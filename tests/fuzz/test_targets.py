"""Every parser of ours with inputs that nobody meant: never another error than it says, nor much time or memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from drafts import inputs
from fuzz_report import ONCE, SECONDS, note
from hypothesis import HealthCheck, given, settings
from target import CORPUS, Target
from targets import TARGETS

pytestmark = ONCE
MAX_PEAK = 64 * 2**20
"""Bytes that reading one input may take at once; the largest are some thousand bytes long."""
EXAMPLES = 60
"""Drafts of each target in the short form."""
WANTED = settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)


def test_every_folder_of_the_corpus_has_its_target() -> None:
    """And every target its real messages."""
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


@EACH
def test_real_messages_and_what_once_was_a_find_are_read(target: Target) -> None:
    """Taken or refused as the parser says, within its bounds; some are taken, or there would be little to change."""
    taken = [target.attempt(seed) for seed in target.seeds]
    assert any(taken)
    tracemalloc.start()
    try:
        for seed in target.seeds:
            target.attempt(seed)
        assert tracemalloc.get_traced_memory()[1] < MAX_PEAK
    finally:
        tracemalloc.stop()


@EACH
@pytest.mark.timeout(600)
def test_changed_messages_are_read_or_refused(target: Target) -> None:
    """As many as there is time for, each of them drawn anew; in the short form the same ones at each run."""
    tried, begun = 0, time.monotonic()

    def attempt(data: bytes) -> None:
        nonlocal tried
        tried += 1
        target.attempt(data)

    wanted = settings(WANTED, max_examples=EXAMPLES, derandomize=not SECONDS)
    draw = wanted(given(inputs(target))(attempt))
    draw()
    while time.monotonic() - begun < SECONDS / 4:
        draw()
    note("drafts", target.name, tried, time.monotonic() - begun)
