"""A thousand calls that are due, two schedulers, two Celery workers of which one is killed: each dialled as planned."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from carrier_exchange import SCRIPTS
from celery_harness import ROOT, celery_process, celery_worker
from redis_roles import redis_roles
from redis_servers import free_port

from control.telephony.outbound import plan
from control.telephony.outbound.book import CallBook
from control.telephony.outbound.call import OVER, OutboundCall
from control.telephony.outbound.carrier import CallStatus, Outcome
from control.telephony.outbound.plan import Watch
from voicebackend._redis import connect
from voicebackend.calls import AttemptEnd, CallRequest, CallState, CallWindow, Retries, Retry
from voicebackend.publisher import CeleryPublisher
from voicebackend.settings import Deployment
from voicebackend.tasks import TELEPHONY_DIAL, TELEPHONY_REAP

pytestmark = [pytest.mark.integration, pytest.mark.timeout(450)]
CALLS = 1000
WAIT_S = 1.0
TRUNKS = {"north": {"cps": 60, "concurrent": 40}, "south": {"cps": 40, "concurrent": 25}}
NOT_MADE = {AttemptEnd.LOST, AttemptEnd.REFUSED}
WITHIN_S = 300.0


def a_call(number: int) -> OutboundCall:
    """Return a call that is due; the last digit of its number says what becomes of it."""
    retry = Retry(count=2, wait=WAIT_S)
    request = CallRequest(
        to=f"+1202555{number:04}",
        windows=(CallWindow(zone="UTC", opens="00:00", closes="00:00"),),  # type: ignore[arg-type]
        retries=Retries(busy=retry, no_answer=retry, failed=retry),
        max_ring_s=5,
    )
    now = time.time()
    trunk = sorted(TRUNKS)[number // 10 % 2]
    return OutboundCall(
        id=uuid.uuid4().hex,
        tenant="default",
        trunk=trunk,
        from_="+14155550100",
        request=request,
        created_at=now,
        due_at=now,
    )


@contextmanager
def exchange() -> Iterator[str]:
    """Run the carrier; yield its address."""
    command = [sys.executable, str(ROOT / "tests/helpers/carrier_exchange.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@asynccontextmanager
async def callbacks(book: CallBook, port: int) -> AsyncIterator[None]:
    """Take the carrier's statuses, as the API does."""

    async def status(request: web.Request) -> web.Response:
        told = CallStatus(**{**(said := await request.json()), "outcome": Outcome(said["outcome"])})
        await book.change(told.call, lambda found: plan.heard(found, told, Watch(max_duration_s=10), time.time()))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/v1/telephony/{trunk}/calls/{call}/status", status)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def careless_scheduler(deployment: Deployment) -> AsyncIterator[None]:
    """Publish what is scheduled beside those that keep the schedule, and more often."""
    publisher = CeleryPublisher(deployment)

    async def publish() -> None:
        while True:
            await publisher.publish(TELEPHONY_DIAL)
            await publisher.publish(TELEPHONY_REAP)
            await asyncio.sleep(0.4)

    publishing = asyncio.create_task(publish(), name="careless scheduler")
    try:
        yield
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await publisher.aclose()


async def report(url: str) -> dict[str, Any]:
    """Return what the carrier has counted."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/report") as answer:
        return dict(await answer.json())


async def all_over(book: CallBook, ids: Sequence[str], within_s: float) -> list[OutboundCall]:
    """Return the calls once all of them are over."""
    deadline, waiting = time.monotonic() + within_s, list(ids)
    while True:
        left = [call for call in [await book.get(one) for one in waiting] if call.state not in OVER]
        if not left:
            return [await book.get(one) for one in ids]
        assert time.monotonic() < deadline, Counter(call.state for call in left)
        waiting = [call.id for call in left]
        await asyncio.sleep(0.5)


async def ordered(url: str, count: int) -> None:
    """Return once the carrier has had so many orders."""
    async with asyncio.timeout(120):
        while len((await report(url))["orders"]) < count:  # noqa: ASYNC110 - told by another process
            await asyncio.sleep(0.1)


async def test_a_thousand_due_calls_are_dialled_as_planned_and_none_twice(tmp_path: Path) -> None:
    """Through the death of a worker, with statuses that come twice, in the wrong order, or never."""
    port = free_port()
    file = tmp_path / "telephony.yaml"
    outbound = {"max_duration": 10, "caller_ids": ["+14155550100"], "use": "exchange_carrier:ExchangeCarrier"}
    trunks = {name: {"carrier": "mock", "outbound": {**outbound, **caps}} for name, caps in TRUNKS.items()}
    file.write_text(yaml.safe_dump({"trunks": trunks}))
    with redis_roles() as roles, exchange() as url:
        deployment = roles.of(Deployment(telephony=file, public_url=f"http://127.0.0.1:{port}"))
        options = ("-Q", "telephony", "-P", "threads", "-c", "4")
        async with connect(deployment.state_url) as redis, callbacks(CallBook(redis, deployment.keys), port):
            book = CallBook(redis, deployment.keys)
            ids = [(await book.create(a_call(number))).id for number in range(CALLS)]
            with (
                celery_process(deployment, tmp_path / "beat-1", "beat"),
                celery_process(deployment, tmp_path / "beat-2", "beat"),
                celery_worker(deployment, tmp_path / "one", *options, "-n", "one@%h", EXCHANGE_URL=url) as victim,
                celery_worker(deployment, tmp_path / "two", *options, "-n", "two@%h", EXCHANGE_URL=url),
            ):
                async with careless_scheduler(deployment):
                    await ordered(url, CALLS // 3)
                    victim.kill()
                    calls = await all_over(book, ids, WITHIN_S)
        counted = await report(url)
    assert_as_planned(calls)
    assert_ordered_as_planned(calls, counted["orders"])
    assert_caps_held(counted)


def assert_as_planned(calls: Sequence[OutboundCall]) -> None:
    """Return if each call had the attempts that its script and its retries lead to."""
    for call in calls:
        ends = [attempt.outcome for attempt in call.attempts if attempt.outcome not in NOT_MADE]
        script = SCRIPTS[call.request.to[-1]]
        assert ends == [AttemptEnd(end) for end in script], call
        assert call.state is (CallState.DONE if script[-1] == "completed" else CallState.FAILED)
        assert call.reason == script[-1]


def assert_ordered_as_planned(calls: Sequence[OutboundCall], orders: Sequence[dict[str, Any]]) -> None:
    """Return if the carrier had every attempt once, and no other; the next only after the wait."""
    assert Counter((order["call"], order["attempt"]) for order in orders).most_common(1)[0][1] == 1
    of_call: dict[str, list[float]] = defaultdict(list)
    for order in orders:
        of_call[order["call"]].append(order["at"])
    for call in calls:
        assert len(of_call[call.id]) == len(SCRIPTS[call.request.to[-1]])
        times = of_call[call.id]
        assert all(later - earlier >= WAIT_S for earlier, later in pairwise(times))


def assert_caps_held(counted: dict[str, Any]) -> None:
    """Return if no trunk had more calls at once than it may, or more a second than late messages explain."""
    for name, caps in TRUNKS.items():
        assert 0 < counted["most"][name] <= caps["concurrent"]
        assert counted["live"][name] == 0
        times = sorted(order["at"] for order in counted["orders"] if order["trunk"] == name)
        window_s, late_s = 5.0, 2.0
        for first, begun in enumerate(times):
            within = sum(1 for at in times[first:] if at < begun + window_s)
            assert within <= caps["cps"] * (window_s + late_s)
