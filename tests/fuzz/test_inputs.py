"""Every bad input of the list has a row, and every row tests that are there."""

from __future__ import annotations

import pytest
from bad_inputs import COUNT, BadInput, inputs
from promises import check
from targets import TARGETS


def test_no_number_is_missing() -> None:
    """Each is there once, in order."""
    assert [row.number for row in inputs()] == list(range(1, COUNT + 1))


@pytest.mark.parametrize("row", list(inputs()), ids=lambda row: str(row.number))
def test_an_input_has_tests_that_are_there(row: BadInput) -> None:
    """And says where it is tried and what must come of it."""
    assert row.what
    assert row.at
    assert row.outcome
    check(row.tests)
    assert {test.parameter for test in row.tests} <= {"", *TARGETS}
