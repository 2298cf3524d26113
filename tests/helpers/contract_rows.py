"""The rows of ``tests/contract/contract.yaml``; run as a program, it prints the tests that they name, for pytest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from promises import TESTS, NamedTest, named, read

FILE = TESTS / "contract" / "contract.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A promise."""

    name: str
    tests: tuple[NamedTest, ...] = ()
    missing: str = ""
    """Why it is not kept yet."""


def rows() -> Iterator[Row]:
    """Yield every row."""
    for section, promises in read(FILE).items():
        for promise, found in promises.items():
            name = f"{section}: {promise}"
            if isinstance(found, dict):
                yield Row(name=name, missing=found["missing"])
            else:
                yield Row(name=name, tests=named(found))


if __name__ == "__main__":
    print(*sorted({f"tests/{test}" for row in rows() for test in row.tests}))  # noqa: T201 - a program
