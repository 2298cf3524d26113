"""What ``/v1/providers`` makes of several workers' catalogues."""

from __future__ import annotations

from typing import Any

import pytest

from control.http.listing import listed, together
from control.sessions.workers import WorkerInfo
from voicebackend.session import Health

OFFER = {"name": "ear", "capabilities": {"remote": True}, "config_schema": {"properties": {}}}
ABSENT = {**OFFER, "unavailable": "not installed", "install": "pip install ear"}


def a_worker(id_: str, **fields: Any) -> WorkerInfo:
    """Return a worker with room for three."""
    return WorkerInfo(id=id_, slots_total=3, slots_free=3, **fields)


def test_a_provider_is_listed_before_its_catalogue_is_there() -> None:
    """Sessions are possible at once."""
    found = listed([a_worker("a", providers={"mock": {"capabilities": {"dtmf": True}}})], {})
    [mock] = found.providers
    assert (mock.name, mock.installed, mock.workers, mock.slots_free, mock.health) == ("mock", True, 1, 3, "unknown")
    assert mock.capabilities == {"dtmf": True}
    assert found.engines == []


def test_what_one_worker_has_is_installed_although_another_has_not() -> None:
    """It counts the workers that have it."""
    catalogues = {"with": {"stt": {"ear": OFFER}}, "without": {"stt": {"ear": ABSENT}}}
    workers = [a_worker("a", catalogue="without"), a_worker("b", catalogue="with", health={"ear": Health.HEALTHY})]
    [ear] = listed(workers, catalogues).engines
    assert (ear.installed, ear.install, ear.workers, ear.health) == (True, None, 1, "healthy")


def test_what_no_worker_has_is_listed_with_the_line_that_installs_it() -> None:
    """A user sees what could be had."""
    [ear] = listed([a_worker("a", catalogue="c")], {"c": {"stt": {"ear": ABSENT}}}).engines
    assert (ear.installed, ear.install, ear.workers) == (False, "pip install ear", 0)


@pytest.mark.parametrize(
    ("found", "health"),
    [
        ([], Health.UNKNOWN),
        ([Health.UNKNOWN, Health.HEALTHY], Health.HEALTHY),
        ([Health.UNHEALTHY, Health.UNHEALTHY], Health.UNHEALTHY),
        ([Health.HEALTHY, Health.UNHEALTHY], Health.DEGRADED),
    ],
)
def test_workers_that_differ_make_it_degraded(found: list[Health], health: Health) -> None:
    """Those that do not know say nothing."""
    assert together(found) is health
