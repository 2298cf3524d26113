"""A routing table as calls are decided by: compiled once, never changed, safe to share. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from control.telephony.routing.conflicts import check, rank
from control.telephony.routing.decision import Call, Choice, Decision
from control.telephony.routing.numbers import Number, NumberKind, normalised
from control.telephony.routing.order import ordered
from control.telephony.routing.prefix_index import PrefixIndex
from control.telephony.routing.table import Deny, Limits, Match, Route, RoutingTable

NO_LIMITS = Limits()


class Snapshot:
    """Decides calls. ``decide`` is a function of its arguments alone: the same call gets the same answer."""

    def __init__(self, table: RoutingTable) -> None:
        """Compile a table.

        Raises:
            InvalidConfig: two routes fit the same calls equally well, and nothing says which goes first.

        """
        self.table = table
        self.version = f"{table.version}-{_digest(table)}"
        """The author's version and what the table says, in short: no two tables share it."""
        self.limits = {route.id: route.limits for route in table.routes if route.limits != NO_LIMITS}
        """Of the routes that have any, by id."""
        self.routes, self.denied = PrefixIndex[Route](), PrefixIndex[Deny]()
        for route in table.routes:
            for called in route.match.called:
                for caller in route.match.caller:
                    self.routes.file(called, caller, route)
        for deny in table.deny:
            for called in deny.called:
                for caller in deny.caller:
                    self.denied.file(called, caller, deny)
        for routes in self.routes.lists():
            routes.sort(key=rank)
            check(routes, table)

    def __repr__(self) -> str:
        return f"<Snapshot {self.version} [{len(self.table.routes)} routes]>"

    def decide(self, call: Call, *, when: datetime, dead: Collection[str] = (), explain: bool = False) -> Decision:
        """Return where a call goes at a moment (with a time zone); ``dead`` are targets that take none now."""
        return _Deciding(self, call, when, dead, explain=explain).decide()


def _digest(table: RoutingTable) -> str:
    """Return what a table says, in short; route by route, to let other threads run between."""
    found = sha256(table.model_dump_json(exclude={"routes"}).encode())
    for route in table.routes:
        found.update(route.model_dump_json().encode())
    return found.hexdigest()[:12]


@dataclass(slots=True)
class _Trace:
    """The steps of a decision, kept only where they are asked for."""

    lines: list[str]
    wanted: bool

    def add(self, line: str) -> None:
        if self.wanted:
            self.lines.append(line)


class _Deciding:
    """One decision under way."""

    def __init__(self, snapshot: Snapshot, call: Call, when: datetime, dead: Collection[str], *, explain: bool) -> None:
        self._snapshot, self._call, self._when, self._dead = snapshot, call, when, dead
        self._table = snapshot.table
        self._trace = _Trace([], explain)

    def decide(self) -> Decision:
        region = self._table.defaults.region
        called, caller = normalised(self._call.called, region), normalised(self._call.caller, region)
        self._trace.add(f"called {called.e164 or called.kind}, caller {caller.e164 or caller.kind}, read in {region}")
        if called.kind is NumberKind.EMERGENCY:
            return self._refused(self._table.defaults.code, "emergency")
        for deny in self._snapshot.denied.find(called.e164, caller.e164):
            if deny.tenant in (None, self._call.tenant):
                return self._refused(deny.code, "denied")
        route = next(self._fitting(called, caller), None)
        if route is None:
            return self._refused(self._table.defaults.code, "no_route")
        self._trace.add(f"{route.id}: taken")
        return self._along(route)

    def _fitting(self, called: Number, caller: Number) -> Iterator[Route]:
        """Yield the routes that fit, the best first."""
        for route in self._snapshot.routes.find(called.e164, caller.e164):
            against = self._against(route.match)
            if against:
                self._trace.add(f"{route.id}: {against}")
            else:
                yield route

    def _against(self, match: Match) -> str:
        """Return what speaks against a route beside the numbers, nothing if it fits."""
        call = self._call
        if match.tenant not in (None, call.tenant):
            return "for another tenant"
        if match.trunk not in (None, call.trunk):
            return "for another trunk"
        if any(call.headers.get(name) != value for name, value in match.header.items()):
            return "for other headers"
        if match.window is not None and not self._table.windows[match.window].is_open(self._when):
            return f"window {match.window} is closed"
        return ""

    def _along(self, route: Route) -> Decision:
        choices = tuple(self._choices(route))
        if not choices:
            return self._refused(503, "no_target", route)
        return Decision(
            version=self._snapshot.version,
            route=route.id,
            choices=choices,
            retention=route.retention or "",
            steps=tuple(self._trace.lines),
        )

    def _choices(self, route: Route) -> Iterator[Choice]:
        for number, tier in enumerate(route.use):
            timeout_s = None if tier.timeout is None else tier.timeout.total_seconds()
            for name in ordered(tier.to, self._call.id):
                if name in self._dead:
                    self._trace.add(f"{name}: takes no calls now")
                    continue
                target = self._table.targets[name]
                self._trace.add(f"{name}: tier {number}")
                yield Choice(name, target.provider, target.agent, number, timeout_s)

    def _refused(self, code: int, reason: str, route: Route | None = None) -> Decision:
        self._trace.add(f"refused with {code}: {reason}")
        steps = tuple(self._trace.lines)
        named = "" if route is None else route.id
        return Decision(version=self._snapshot.version, route=named, code=code, reason=reason, steps=steps)
