"""Lists of promises, each with the tests that hold us to it: the contract, the faults, the bad inputs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, order=True)
class NamedTest:
    """A test that a list names, or several."""

    file: str
    """Where it is, under ``tests``."""
    name: str = ""
    """Its function or class; none for all of the file."""
    parameter: str = ""
    """The parameter with which it counts; none for all."""

    def __str__(self) -> str:
        """Return it as lists have it: ``FILE::NAME``, or ``FILE``."""
        return f"{self.file}::{self.name}" if self.name else self.file

    def has(self, file: str, name: str) -> bool:
        """Tell whether this test, as pytest tells of it, is meant: ``NAME``, or ``NAME[PARAMETER]``."""
        function, _, parameter = name.partition("[")
        return (
            file == self.file
            and self.name in ("", function)
            and (not self.parameter or parameter == f"{self.parameter}]")
        )


def read(file: Path) -> dict[Any, Any]:
    """Return a list as it stands in YAML."""
    listed: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return listed


def named(tests: Iterable[str] | None) -> tuple[NamedTest, ...]:
    """Return the tests of a row, written ``FILE::NAME`` or ``FILE``."""
    parts = (test.partition("::") for test in tests or ())
    return tuple(NamedTest(file, name) for file, _, name in parts)


def check(tests: Sequence[NamedTest]) -> None:
    """Raise LookupError if a row has no tests, or names one that is not there."""
    if not tests:
        raise LookupError("no test holds us to this")
    for test in tests:
        there = _tests_of(test.file)
        if not there or test.name not in ("", *there):
            raise LookupError(f"there is no test {test}")


@cache
def _tests_of(file: str) -> frozenset[str]:
    """Return the test functions and classes that a file has; none if it is not there."""
    path, kinds = TESTS / file, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else ()
    return frozenset(it.name for it in body if isinstance(it, kinds) and it.name.lower().startswith("test"))
