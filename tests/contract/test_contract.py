"""Every row of the contract names tests, and they are there."""

from __future__ import annotations

import pytest
from contract_rows import FILE, Row, rows
from promises import check


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.name)
def test_a_row_has_its_tests(row: Row) -> None:
    """A file without a name stands for all of its tests; what is not kept says why, and is told as such."""
    if row.missing:
        pytest.xfail(row.missing)
    check(row.tests)


def test_no_row_is_there_twice() -> None:
    """YAML would silently take the second."""
    text = [line for line in FILE.read_text("utf-8").splitlines() if line[:2] == "  "]
    assert len(text) == len(list(rows()))
