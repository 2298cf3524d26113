"""Who of those that wait for a slot is next: tenants in turn, and of each tenant who came first. Pure."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A session that waits for a slot."""

    session: str
    tenant: str
    since: float
    """When it came, seconds since the epoch."""
    until: float
    """When it gives up, seconds since the epoch."""

    def ticket(self) -> str:
        """Return it as it stands in the queue, where ``since`` is its score."""
        return f"{self.until!r} {self.session} {self.tenant}"

    @classmethod
    def read(cls, ticket: str, since: float) -> Self:
        """Read a ticket; raises ValueError."""
        until, session, tenant = ticket.split(" ", 2)
        return cls(session=session, tenant=tenant, since=since, until=float(until))


def in_order(waiting: Iterable[Waiting], served: Mapping[str, float]) -> list[Waiting]:
    """Return those who wait, next first.

    ``served`` has when each tenant last got a slot, in any unit. The tenant whose turn was longest ago, or never, is
    next with its first; of equals the one whose first came first. Whoever is taken goes to the end of the tenants.
    """
    by_tenant: dict[str, deque[Waiting]] = defaultdict(deque)
    for one in sorted(waiting, key=lambda one: (one.since, one.session)):
        by_tenant[one.tenant].append(one)
    turns = [(served.get(tenant, 0.0), line[0].since, tenant) for tenant, line in by_tenant.items()]
    heapq.heapify(turns)
    latest = max(served.values(), default=0.0)
    ordered: list[Waiting] = []
    while turns:
        _, _, tenant = heapq.heappop(turns)
        line = by_tenant[tenant]
        ordered.append(line.popleft())
        latest += 1
        if line:
            heapq.heappush(turns, (latest, line[0].since, tenant))
    return ordered
