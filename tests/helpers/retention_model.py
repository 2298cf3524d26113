"""What records should do, told by a plain dictionary of objects: when each goes, what keeps it, what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

ASKED_FOR = ("audio", "dtmf", "tool_io")
"""Classes that nobody keeps without a policy for them."""
Policies = Sequence[Mapping[str, Any]]


def ttl_s(policies: Policies, kind: str, asked: Mapping[str, str]) -> float:
    """Return for how long a class of a session is kept; ``asked`` is its tenant, agent and retention class."""
    fitting = [policy for policy in policies if all(asked[name] == policy[name] for name in asked if name in policy)]
    mine = [policy for policy in fitting if policy["class"] == kind]
    if mine:
        best = sorted(mine, key=lambda one: ("tenant" in one, "agent" in one, "retention" in one))[-1]
        return _ttl(best)
    return 0 if kind in ASKED_FOR or not fitting else min(map(_ttl, fitting))


def _ttl(policy: Mapping[str, Any]) -> float:
    return 0 if policy.get("store") == "none" else float(policy["ttl"])


@dataclass(kw_only=True)
class ModelSession:
    """One session."""

    id: str
    tenant: str
    names: frozenset[str]
    """Whom it is about."""
    began: float
    kept: Mapping[str, float]
    """By class, for how long, as the policies said when it began."""
    ended: float | None = None
    latest: float = 0.0
    """The latest that the clock has shown since it ended; clocks may go back."""


@dataclass(kw_only=True)
class ModelObject:
    """One object that was in the store."""

    path: str
    session: ModelSession
    due: float
    is_there: bool = True
    lives: int = 1
    """How often it came into being."""
    too_late: bool = False
    """A sweep had claimed it when the hold came: it may go."""
    taken: bool = False
    """Somebody took it from the store by hand."""


@dataclass
class Model:
    """Everything that is known."""

    now: float
    sessions: dict[str, ModelSession] = field(default_factory=dict)
    objects: dict[str, ModelObject] = field(default_factory=dict)
    holds: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By id: tenant, and ``*``, ``session`` or ``subject``, and its name."""
    erased: list[tuple[str, str, float]] = field(default_factory=list)
    """Tenant, name and when it was asked for."""
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    """For whoever needs one: the same in the same history."""

    def pass_time(self, seconds: float) -> None:
        """Let the clock go, forward or back."""
        self.now += seconds
        for session in self.sessions.values():
            if session.ended is not None:
                session.latest = max(session.latest, self.now)

    def held(self, session: ModelSession) -> bool:
        """Tell whether a hold covers a session now."""
        return any(
            tenant == session.tenant
            and (
                kind == "*"
                or (kind == "session" and name == session.id)
                or (kind == "subject" and name in session.names)
            )
            for tenant, kind, name in self.holds.values()
        )

    def erased_by_now(self, session: ModelSession) -> bool:
        """Tell whether somebody whom a session is about was erased since it began."""
        return any(
            tenant == session.tenant and name in session.names and session.began <= at
            for tenant, name, at in self.erased
        )

    def appear(self, path: str, due: float, session: ModelSession) -> None:
        """Note an object that was not there before."""
        known = self.objects.get(path)
        if known is None:
            self.objects[path] = ModelObject(path=path, session=session, due=due)
        else:
            known.is_there, known.taken, known.lives = True, False, known.lives + 1

    def may_go(self, one: ModelObject, clocks: Iterable[float]) -> bool:
        """Tell whether an object's time had come, by the clock or by those of work that is under way."""
        return self.erased_by_now(one.session) or one.due <= max(one.session.latest, self.now, *clocks)
