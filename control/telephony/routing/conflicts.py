"""Routes between which a table does not decide: found when it is loaded, so that no call is ever guessed at. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from control.telephony.routing.table import Match, Route, RoutingTable
from control.telephony.routing.window import Window
from voicebackend.errors import InvalidConfig


def rank(route: Route) -> tuple[tuple[int, ...], int, str]:
    """Return what orders routes for the same numbers: the best fit first, then by priority."""
    return tuple(-int(part) for part in _fit(route.match)), route.priority, route.id


def check(routes: Iterable[Route], table: RoutingTable) -> None:
    """Return if it is clear which of these routes, all for the same numbers, takes any call.

    Raises:
        InvalidConfig: two fit the same calls equally well, with the same priority.

    """
    alike: dict[object, list[Route]] = defaultdict(list)
    for route in routes:
        alike[route.match.tenant, route.match.trunk, _fit(route.match), route.priority].append(route)
    for group in alike.values():
        for one, other in combinations(group, 2):
            if not _apart(one.match, other.match, table):
                message = f"routes {one.id!r} and {other.id!r} fit the same calls: give one of them another priority"
                raise InvalidConfig("routing", message, details={"field": "routes", "routes": [one.id, other.id]})


def _fit(match: Match) -> tuple[bool, bool, int, bool]:
    """Return how closely a match describes the calls that it fits, beside their numbers."""
    return match.tenant is not None, match.trunk is not None, len(match.header), match.window is not None


def _apart(one: Match, other: Match, table: RoutingTable) -> bool:
    """Tell whether no call can fit both."""
    if any(name in other.header and other.header[name] != value for name, value in one.header.items()):
        return True
    if one.window is None or other.window is None:
        return False
    return _never_both(table.windows[one.window], table.windows[other.window])


def _never_both(one: Window, other: Window) -> bool:
    """Tell whether two windows are never open at once; those of different zones may be, for all that is known."""
    return one.tz == other.tz and not one.minutes() & other.minutes()
