"""The list of faults is whole, and the tests that it names are there."""

from __future__ import annotations

import pytest
from fault_table import Fault, Outcomes, faults
from promises import check, named


def test_it_has_all_25() -> None:
    """None is forgotten."""
    assert [fault.number for fault in faults()] == list(range(1, 26))


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.number)
def test_a_fault_has_its_tests(fault: Fault) -> None:
    """So that none is only promised."""
    check(fault.tests)


def _report(name: str, outcome: str) -> pytest.TestReport:
    return pytest.TestReport(name, (name, 1, name), {}, outcome, None, "call", duration=1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({"a.py::x[1]": "passed", "a.py::x[2]": "passed", "b.py::y": "passed"}, "holds"),
        ({"a.py::x[1]": "passed", "a.py::x[2]": "failed", "b.py::y": "passed"}, "FAILED"),
        ({"a.py::x[1]": "passed", "b.py::y": "skipped"}, "SKIPPED"),
        ({"a.py::x[1]": "passed"}, "NOT RUN"),
    ],
)
def test_only_what_passed_whole_holds(ended: dict[str, str], told: str) -> None:
    """One test that was skipped, or did not run, is no pass."""
    outcomes = Outcomes()
    for name, outcome in ended.items():
        outcomes.pytest_runtest_logreport(_report(f"tests/{name}", outcome))
    assert outcomes.of(Fault(number=1, fault="", must="", tests=named(["a.py::x", "b.py"]))) == told
