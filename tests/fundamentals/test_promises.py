"""Rows of a list of promises name tests that are there."""

from __future__ import annotations

import pytest
from promises import NamedTest, check, named

HERE = "fundamentals/test_promises.py"


def test_tests_that_are_there_are_enough() -> None:
    """By their names, or as a file."""
    check(named([HERE, f"{HERE}::test_tests_that_are_there_are_enough"]))


@pytest.mark.parametrize(
    "tests", [None, [], ["fundamentals/test_nothing.py"], ["helpers/promises.py"], [HERE, f"{HERE}::test_nothing"]]
)
def test_a_row_without_its_tests_is_refused(tests: list[str] | None) -> None:
    """Without any, or with one that is not there: the promise would be kept by nobody."""
    with pytest.raises(LookupError, match="no test"):
        check(named(tests))


@pytest.mark.parametrize(
    ("test", "file", "name", "meant"),
    [
        (NamedTest("a.py"), "a.py", "x[1]", True),
        (NamedTest("a.py"), "b.py", "x", False),
        (NamedTest("a.py", "x"), "a.py", "x[1]", True),
        (NamedTest("a.py", "x"), "a.py", "xy", False),
        (NamedTest("a.py", "x", "1"), "a.py", "x[1]", True),
        (NamedTest("a.py", "x", "1"), "a.py", "x[12]", False),
    ],
)
def test_a_test_that_ran_is_found_in_its_row(test: NamedTest, file: str, name: str, meant: bool) -> None:
    """By file, name and parameter, as far as the row tells them."""
    assert test.has(file, name) is meant
