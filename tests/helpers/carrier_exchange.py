"""A carrier as a process of its own: takes orders over HTTP, lets calls ring and end, and counts what it was asked.

``python carrier_exchange.py`` prints its port. What becomes of a call's n-th order, the number's last digit says.
Statuses come late, twice, in the wrong order, and one in fifty not at all.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from typing import Any

import aiohttp
from aiohttp import web

SCRIPTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys("012345", ("completed",)),
    "6": ("busy", "completed"),
    "7": ("no_answer", "no_answer", "completed"),
    "8": ("busy", "busy", "busy"),
    "9": ("failed", "completed"),
}
"""What becomes of a number's orders, by its last digit."""
RING_S, TALK_S, ANSWER_S = 0.15, 0.3, 0.03
"""Seconds: until it is answered, how long it lasts then, and until an order is answered."""


class Exchange:
    """Calls by order; live ones by trunk."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.statuses: dict[str, dict[str, Any]] = {}
        self.of_call: Counter[str] = Counter()
        self.live: Counter[str] = Counter()
        self.most: dict[str, int] = defaultdict(int)
        self.tasks: set[asyncio.Task[None]] = set()
        self.http: aiohttp.ClientSession

    async def dial(self, request: web.Request) -> web.Response:
        """Take an order, and answer a moment later."""
        order = await request.json()
        self.of_call[order["call"]] += 1
        script = SCRIPTS[order["to"][-1]]
        end = script[min(self.of_call[order["call"]], len(script)) - 1]
        self.orders.append({**order, "at": time.time(), "end": end})
        self.live[order["trunk"]] += 1
        self.most[order["trunk"]] = max(self.most[order["trunk"]], self.live[order["trunk"]])
        self.start(self.run(order, end))
        await asyncio.sleep(ANSWER_S)
        return web.json_response({"id": name_of(order)})

    def start(self, work: Any) -> None:
        """Do something beside."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def run(self, order: dict[str, Any], end: str) -> None:
        """Let a call ring, be answered or not, and end."""
        told = [self.note(order, "ringing")]
        await asyncio.sleep(RING_S)
        if end == "completed":
            told.append(self.note(order, "answered"))
            await asyncio.sleep(TALK_S)
        self.live[order["trunk"]] -= 1
        told.append(self.note(order, end))
        if chance(0.02):
            told.pop()  # its end is never told
        told += [one for one in told if chance(0.3)]
        if chance(0.2):
            random.shuffle(told)
        for status in told:
            await self.tell(order["status_url"], status)

    def note(self, order: dict[str, Any], outcome: str) -> dict[str, Any]:
        """Write down how far a call is."""
        status = {"call": order["call"], "attempt": order["attempt"], "outcome": outcome, "at": time.time()}
        self.statuses[name_of(order)] = {**status, "carrier_call_id": name_of(order)}
        return self.statuses[name_of(order)]

    async def tell(self, url: str, status: dict[str, Any]) -> None:
        """Tell a status; who does not listen is told again."""
        for _ in range(20):
            try:
                async with self.http.post(url, json=status) as answer:
                    if answer.status < 500:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)

    async def find(self, request: web.Request) -> web.Response:
        """Return how far a call is."""
        found = self.statuses.get(request.match_info["name"])
        return web.json_response(found) if found else web.Response(status=404)

    async def report(self, _: web.Request) -> web.Response:
        """Return what was asked, and the most calls at once by trunk."""
        return web.json_response({"orders": self.orders, "most": self.most, "live": self.live})


def chance(share: float) -> bool:
    """Return True as often as this share says."""
    return random.random() < share  # noqa: S311 - of a carrier's moods


def name_of(order: dict[str, Any]) -> str:
    """Return the exchange's id of a call."""
    return f"{order['call']}-{order['attempt']}"


async def main() -> None:
    """Serve until killed."""
    exchange = Exchange()
    app = web.Application()
    app.router.add_post("/dial", exchange.dial)
    app.router.add_get("/calls/{name}", exchange.find)
    app.router.add_get("/report", exchange.report)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as exchange.http:
        print(runner.addresses[0][1], flush=True)  # noqa: T201 - what its parent waits for
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
