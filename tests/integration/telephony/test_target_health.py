"""Targets that die and come back, tables that change, and limits, on real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from deployment import HELPERS, WORKER, Site, site
from frail_provider import SWITCH, install
from twilio_caller import TOKEN, Told, TwilioCaller

from voicebackend.cli.stack import free_port

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]
SPEECH = {"decode": True, "seconds_per_character": 0.05}
CONFIG = {
    "provider": "mock",
    "provider_config": SPEECH,
    "engine_settings": {"provider/frail": SPEECH},
    "max_concurrent_sessions": 20,
}
SOON_S = 60.0
"""Seconds that something may take on a loaded machine."""


def table(**changes: Any) -> dict[str, Any]:
    """Return a routing table: who is frail first, then the mock."""
    return {
        "version": 1,
        "targets": {
            "first": {"provider": "frail", "agent": "parrot", "probe": {"every": 2, "fail": 2, "ok": 1}},
            "second": {"provider": "mock", "agent": "parrot"},
        },
        "routes": [{"id": "main", "use": [{"to": [{"target": "first"}]}, {"to": [{"target": "second"}]}]}],
        **changes,
    }


class Calls(TwilioCaller):
    """Calls to a deployment with its files at hand."""

    def __init__(self, http: aiohttp.ClientSession, running: Site, folder: Path, second: str) -> None:
        super().__init__(http, running.url, running.api_key)
        self.running, self.folder, self.second = running, folder, second

    def write(self, routes: dict[str, Any] | str) -> None:
        """Change the routing table's file at once."""
        fresh = self.folder / "fresh.yaml"
        fresh.write_text(routes if isinstance(routes, str) else yaml.safe_dump(routes))
        fresh.rename(self.folder / "routes.yaml")

    async def start_frail(self) -> None:
        """Start the one worker that has the frail provider."""
        path = f"{HELPERS}{os.pathsep}{self.folder}"
        await self.running.start("worker-frail", *WORKER, PYTHONPATH=path)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Return once something holds."""
        async with asyncio.timeout(SOON_S):
            while not await holds():  # noqa: ASYNC110 - other processes know
                await asyncio.sleep(0.2)

    async def taken(self, url: str = "") -> Told:
        """Return a call that was taken: a worker on a loaded machine may take none for a moment."""
        async with asyncio.timeout(SOON_S):
            while not (told := await self.tell(url=url)).session:  # noqa: ASYNC110 - other processes know
                await asyncio.sleep(0.2)
        return told

    async def until_target(self, name: str) -> None:
        """Return once calls go to this target."""

        async def goes_there() -> bool:
            return await self.target() == name

        await self.until(goes_there)

    async def until_version(self, number: int) -> None:
        """Return once every control process routes by this version of the table."""

        async def is_there() -> bool:
            view = await self.get("/v1/telephony/routes")
            return all(version.startswith(f"{number}-") for version in view["versions"])

        await self.until(is_there)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Calls]:
    """Give a deployment with two control processes and a frail provider."""
    folder: Path = tmp_path_factory.mktemp("health")
    install(folder)
    (folder / "switch").touch()
    (folder / "routes.yaml").write_text(yaml.safe_dump(table()))
    trunks = {"main": {"carrier": "twilio", "secret": TOKEN}}
    (folder / "telephony.yaml").write_text(yaml.safe_dump({"trunks": trunks, "routes": "routes.yaml"}))
    environment = {
        "VOICEBACKEND_TELEPHONY": str(folder / "telephony.yaml"),
        "VOICEBACKEND_AGENTS": "telephone_agents",
        SWITCH: str(folder / "switch"),
    }
    port = free_port()
    async with site(CONFIG, workers=1, environment=environment) as running, aiohttp.ClientSession() as http:
        await running.start("beat", "celery", "-A", "control", "beat")
        second = f"http://127.0.0.1:{port}"
        await running.start("control-2", "control", VOICEBACKEND_PORT=str(port), VOICEBACKEND_PUBLIC_URL=second)
        calls = Calls(http, running, folder, second)

        await calls.start_frail()

        async def is_there() -> bool:
            return running.said("control-2", "control serves")

        await calls.until(is_there)
        yield calls


@pytest_asyncio.fixture(loop_scope="module")
async def calls(deployed: Calls) -> Calls:
    """Give it with its vendor there, its first table, and calls going to the first target."""
    (deployed.folder / "switch").touch()
    if "worker-frail" not in deployed.running.processes:
        await deployed.start_frail()
    deployed.write(table())
    await deployed.until_version(1)
    await deployed.until_target("first")
    return deployed


async def test_a_target_whose_vendor_is_gone_takes_no_calls_until_it_is_back(calls: Calls) -> None:
    """Its share goes to the next tier; then one call tries it, and all are well."""
    (calls.folder / "switch").unlink()

    async def is_dead() -> bool:
        shown = (await calls.get("/v1/telephony/routes"))["targets"]["first"]
        return (shown["state"], shown["why"], shown["takes_calls"]) == ("open", "check_failed", False)

    await calls.until(is_dead)
    await calls.until_target("second")
    explained = await calls.post("/v1/telephony/explain", {"called": "+14155559999"})
    assert [choice["target"] for choice in explained["choices"]] == ["second"]
    assert "first: takes no calls now" in explained["steps"]
    (calls.folder / "switch").touch()
    await calls.until_target("first")

    async def is_well() -> bool:
        view = await calls.get("/v1/telephony/routes")
        return bool(view["targets"]["first"]["state"] == "closed")

    await calls.until(is_well)


async def test_a_target_whose_worker_is_killed_takes_no_calls_until_there_is_another(calls: Calls) -> None:
    """Others have its provider not."""
    await calls.running.kill("worker-frail")
    await calls.until_target("second")

    async def is_dead() -> bool:
        shown = (await calls.get("/v1/telephony/routes"))["targets"]
        return (shown["first"]["state"], shown["second"]["state"]) == ("open", "closed")

    await calls.until(is_dead)
    assert await calls.target() != "first"
    await calls.start_frail()
    await calls.until_target("first")


async def test_a_changed_table_is_used_at_once_and_no_call_notices(calls: Calls) -> None:
    """In every control process; a call that is up goes on, and a call that was told of keeps its answer."""
    told = await calls.taken()
    calls.write(table(version=2, routes=[{"id": "new", "use": [{"to": [{"target": "second"}]}]}]))
    await calls.until_version(2)
    for url in (calls.running.url, calls.second):
        moved = await calls.taken(url)
        view = await calls.get(f"/v1/sessions/{moved.session}")
        assert (view["metadata"]["route"], view["metadata"]["target"]) == ("new", "second")
        await calls.end(moved)
    assert (await calls.tell(call_id=told.call_id)).session == told.session
    assert (await calls.get(f"/v1/sessions/{told.session}"))["state"] == "ready"
    await calls.end(told)


async def test_a_bad_table_leaves_the_old_one(calls: Calls) -> None:
    """It is told by the API and once in the log; when it is good again, that is used."""
    version = (await calls.get("/v1/telephony/routes"))["version"]
    calls.write("version: [")

    async def is_told() -> bool:
        return bool((await calls.get("/readyz"))["telephony"] == "stale")

    await calls.until(is_told)
    shown = await calls.get("/v1/telephony/routes")
    assert shown["version"] == version
    assert "routes.yaml" in shown["problem"]
    await calls.until_target("first")
    calls.write(table(version=3))
    await calls.until_version(3)
    assert (await calls.get("/readyz"))["telephony"] == "current"
    lines = [line for who, line in calls.running.log if who == "control" and "telephony file is bad" in line]
    assert len(lines) == 1


async def test_a_signal_has_the_files_read_at_once(calls: Calls) -> None:
    """Also where they look as they did."""
    before = sum("telephony file read" in line for who, line in calls.running.log if who == "control")
    calls.running.signal("control", signal.SIGHUP)

    async def is_read() -> bool:
        return sum("telephony file read" in line for who, line in calls.running.log if who == "control") > before

    await calls.until(is_read)


async def test_limits_hold_over_processes_and_are_given_back(calls: Calls) -> None:
    """Of a target, after which the next is asked; of a route, after which none is. However many come at once."""
    targets, [route] = table()["targets"], table()["routes"]
    targets["first"]["max_calls"] = 2
    calls.write(table(version=4, targets=targets, routes=[{**route, "id": "limited", "limits": {"concurrent": 5}}]))
    await calls.until_version(4)
    rounds: list[list[Told]] = []

    async def is_full() -> bool:
        told = await asyncio.gather(*(calls.tell(url=url) for url in [calls.running.url, calls.second] * 5))
        taken = [one for one in told if one.session]
        rounds.append(taken)
        views = [await calls.get(f"/v1/sessions/{one.session}") for one in taken]
        on = Counter(view["metadata"]["target"] for view in views)
        assert on["first"] <= 2
        assert len(taken) <= 5
        assert {one.refusal for one in told if not one.session} == {"busy"}
        await asyncio.gather(*(calls.end(one) for one in taken))
        return on == {"first": 2, "second": 3}

    await calls.until(is_full)
    await calls.until(is_full)  # what was taken is given back
    report = await calls.get("/v1/telephony/report")
    [full] = [one for one in report["refusals"] if (one["route"], one["reason"]) == ("limited", "route_full")]
    assert (full["trunk"], full["code"]) == ("main", 503)
    assert full["calls"] >= 10
    assert report["setup_p95_ms"] > 0

    async def is_known() -> bool:
        known = await calls.get(f"/v1/telephony/calls/{rounds[-1][0].call_id}")
        assert (known["trunk"], known["session"], known["route"]) == ("main", rounds[-1][0].session, "limited")
        assert known["said"]["caller"] == "+12025550111"
        return bool(known["outcome"] == "ended")

    await calls.until(is_known)


async def test_calls_a_second_are_counted_over_processes(calls: Calls) -> None:
    """One in a hundred seconds here, however many come at once."""
    calls.write(table(version=5, routes=[{**table()["routes"][0], "id": "slow", "limits": {"cps": 0.01}}]))
    await calls.until_version(5)
    told = await asyncio.gather(*(calls.tell(url=url) for url in [calls.running.url, calls.second] * 3))
    taken = [one for one in told if one.session]
    assert len(taken) <= 1
    report = await calls.get("/v1/telephony/report")
    [refused] = [one for one in report["refusals"] if (one["route"], one["reason"]) == ("slow", "route_rate")]
    assert refused["calls"] >= 5
    await asyncio.gather(*(calls.end(one) for one in taken))
