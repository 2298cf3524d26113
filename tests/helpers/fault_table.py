"""Makes every fault of ``tests/chaos/faults.yaml`` happen, and prints what held.

``python tests/helpers/fault_table.py [options of pytest]`` runs the tests that the list names. A fault holds if all of
its tests passed: one that was skipped, or did not run, is told as such and is no pass.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass

import pytest
from promises import TESTS, NamedTest, named, read

FILE = TESTS / "chaos" / "faults.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What may befall a deployment."""

    number: int
    fault: str
    must: str
    tests: tuple[NamedTest, ...] = ()


def faults() -> list[Fault]:
    """Return the list, by number."""
    return [Fault(number=n, **{**row, "tests": named(row.get("tests"))}) for n, row in sorted(read(FILE).items())]


class Outcomes:
    """A plugin of pytest that notes down how tests ended."""

    def __init__(self) -> None:
        self.ended: dict[str, list[str]] = defaultdict(list)
        """Outcomes by ``FILE::NAME``, each parameter one."""
        self.took_s: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the end of a test; what failed and is tried again is told once more."""
        test = report.nodeid.removeprefix("tests/").split("[")[0]
        self.took_s[test] += report.duration
        if report.outcome != "rerun" and (report.when == "call" or report.outcome != "passed"):  # type: ignore[comparison-overlap]
            self.ended[test].append(report.outcome)

    def of(self, fault: Fault) -> str:
        """Tell what became of a fault."""
        ended = [self._of(test) for test in fault.tests]
        if not all(ended):
            return "NOT RUN"
        wrong = sorted({outcome for outcomes in ended for outcome in outcomes} - {"passed"})
        return ", ".join(wrong).upper() if wrong else "holds"

    def seconds(self, fault: Fault) -> float:
        """Return how long its tests took."""
        return sum(took for test, took in self.took_s.items() if any(_within(test, it) for it in fault.tests))

    def _of(self, wanted: NamedTest) -> list[str]:
        return [outcome for test, outcomes in self.ended.items() if _within(test, wanted) for outcome in outcomes]


def _within(test: str, wanted: NamedTest) -> bool:
    file, _, name = test.partition("::")
    return wanted.has(file, name)


def main(options: list[str]) -> int:
    """Run the tests, print the table, and return 0 if every fault that is tried holds."""
    outcomes, listed = Outcomes(), faults()
    nodes = sorted({str(TESTS / str(test)) for fault in listed for test in fault.tests})
    code = int(pytest.main([*options, *nodes], plugins=[outcomes]))
    print(f"\n{'':2}  {'fault':55} {'tests':>5} {'s':>5}  outcome")  # noqa: T201 - a program
    for fault in listed:
        row = f"{fault.number:2}  {fault.fault:55} {len(fault.tests):5} {outcomes.seconds(fault):5.0f}"
        print(f"{row}  {outcomes.of(fault)}")  # noqa: T201 - a program
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
