"""Which tests were held on a Cluster and Sentinels, which not, and why: printed at the end of such a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from redis_roles import apart, taken_in

PROPERTY = "redis"
ON_TOPOLOGY = "on a Cluster and Sentinels"
WITHOUT = "without Redis"
TIMEOUT_S = 900
"""Seconds for a test, whatever it says itself."""
FIXTURES = frozenset({"roles", "stack_redis"})


def where(item: pytest.Item) -> str:
    """Return on what a test was held; one with a Redis of its own tells why by its marker ``own_redis``."""
    if marker := item.get_closest_marker("own_redis"):
        return f"on a Redis of their own: {marker.args[0]}"
    used = FIXTURES & set(getattr(item, "fixturenames", ()))
    return ON_TOPOLOGY if used or taken_in(item.nodeid) else WITHOUT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests more time: before the first of a file, servers meet, or change places."""
    if apart():
        for item in items:
            if item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TIMEOUT_S), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Note on the test's report where it was held; reports go to the process that prints."""
    report = yield
    if apart() and call.when == "call":
        report.user_properties.append((PROPERTY, where(item)))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many tests were held where."""
    if not apart():
        return
    places: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            places.update(f"{value}, {outcome}" for name, value in report.user_properties if name == PROPERTY)
    terminalreporter.section("tests by their Redis")
    for place, count in sorted(places.items()):
        terminalreporter.write_line(f"{count:5} {place}")
