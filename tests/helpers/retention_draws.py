"""What happens to a deployment that keeps records, by chance: policies, calls, and where work stops."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

TENANTS, NAMED = ("t1", "t2"), ("ann", "bob", "+12025550111")
"""Who is called what; a person is known by a user id and a number."""
SECONDS = (0, 0, 1, 20, 31, 31, 61, 61, 61, 3_700, 31 * 86_400, -30, -3_700)
"""How far the clock goes."""
PACES = (None, None, None, None, 0, 1, 2, 3, 4, 5, 7, 10, 15, 30)
"""Commands after which work stops; None is at its end."""
MOODS = (*["agrees"] * 7, "forbids", "shortens", "fails")


def policies(chance: random.Random) -> list[dict[str, Any]]:
    """Return a table of policies: one that is for all transcripts, and others; no two for the same."""
    drawn: list[dict[str, Any]] = [{"class": "transcript", "ttl": chance.choice((60, 60, 3_600, 30 * 86_400))}]
    for _ in range(chance.randrange(5)):
        kind = chance.choice(("transcript", "metadata", "trace", "audio", "audio", "dtmf"))
        policy: dict[str, Any] = {"class": kind, "ttl": chance.choice((0, 60, 60, 3_600, 30 * 86_400))}
        asked = (("tenant", chance.choice(TENANTS)), ("agent", "sales"), ("retention", "long"), ("store", "none"))
        drawn.append(policy | {name: value for name, value in asked if chance.random() < 0.25})
    found = {tuple(one.get(name) for name in ("class", "tenant", "agent", "retention")): one for one in drawn[::-1]}
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who, by whom, and what becomes of it."""

    tenant: str
    agent: str
    retention: str
    user: str
    number: str
    mood: str
    """Of the deployment's hook."""
    after_s: float | None
    """When it ends; None is later than anybody knows."""

    @property
    def asked(self) -> dict[str, str]:
        """What policies ask of it."""
        return {"tenant": self.tenant, "agent": self.agent, "retention": self.retention}

    @classmethod
    def by(cls, chance: random.Random) -> Call:
        """Return some call."""
        return cls(
            chance.choice(TENANTS),
            chance.choice(("", "sales")),
            chance.choice(("", "long")),
            chance.choice(NAMED[:2]),
            chance.choice(("", NAMED[2])),
            chance.choice(MOODS),
            chance.choice((None, 0, 10, 10, 50)),
        )


class Hook:
    """Narrows what policies say, or fails."""

    def __init__(self, mood: str) -> None:
        self.mood = mood

    async def should_retain(self, data_class: str, metadata: Any) -> bool:
        """Say whether to keep it."""
        if self.mood == "fails":
            raise RuntimeError
        return self.mood != "forbids"

    async def retention_period(self, data_class: str) -> timedelta:
        """Say for how long."""
        return timedelta(seconds=30) if self.mood == "shortens" else timedelta(days=999)

    def narrowed(self, seconds: float) -> float:
        """Return for how long something is kept, as it should be."""
        return {"agrees": seconds, "shortens": min(30.0, seconds)}.get(self.mood, 0.0)
