"""The rows of ``inputs.yaml``: every bad input, and the tests that try it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from promises import TESTS, NamedTest, named, read

COUNT = 78
"""Bad inputs that there are; each has its row."""
_FUZZ = "fuzz "
_OF_TARGETS = ("test_real_messages_and_what_once_was_a_find_are_read", "test_changed_messages_are_read_or_refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class BadInput:
    """One of them."""

    number: int
    group: str
    what: str
    at: str
    """Where it is tried."""
    outcome: str
    """What must come of it: status or code."""
    tests: tuple[NamedTest, ...]


def inputs() -> Iterator[BadInput]:
    """Yield every row."""
    for group, rows in read(TESTS / "fuzz" / "inputs.yaml").items():
        for number, row in rows.items():
            words = {name: str(row[name]) for name in ("what", "at", "outcome")}
            yield BadInput(number=number, group=group, tests=tuple(_tests(row["tests"])), **words)


def _tests(listed: list[str]) -> Iterator[NamedTest]:
    """Yield what a row names: ``FILE::NAME``, ``FILE``, or ``fuzz TARGET``."""
    for test in listed:
        if test.startswith(_FUZZ):
            target = test.removeprefix(_FUZZ)
            yield from (NamedTest("fuzz/test_targets.py", name, target) for name in _OF_TARGETS)
        else:
            yield from named([test])
