"""What a soak did, held and left, as a table and as what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from canaries import hits
from soak_caller import Soaked
from soak_watch import Held

EVERYTHING = {"sessions", "turns", "interrupted", "dropped", "came back", "kept out", "HTTP errors"}
"""What callers do at least."""


@dataclass
class Report:
    """All that is known at the end of a run."""

    soaked: Soaked = field(default_factory=Soaked)
    warm: dict[str, Held] = field(default_factory=dict)
    after: dict[str, Held] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    eternal: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    places: dict[str, bytes] = field(default_factory=dict)
    """What was written down, by where."""
    api_key: str = ""
    ends: dict[str, int | None] = field(default_factory=dict)
    """Codes of processes that ended before they should."""

    def __str__(self) -> str:
        """Return a table."""
        rows = [f"{what:24} {count:8}" for what, count in sorted(self.soaked.did.items())]
        rows.append(f"\n{'process':10} {'MB':>14} {'files':>9} {'sockets':>9} {'threads':>9} {'tasks':>9}")
        for name, was in self.warm.items():
            now = self.after[name]
            pairs = [(was.files, now.files), (was.sockets, now.sockets), (was.threads, now.threads)]
            pairs.append((was.tasks.total(), now.tasks.total()))
            told = " ".join(f"{a:4}→{b:<4}" for a, b in pairs)
            rows.append(f"{name:10} {was.rss_mb:6.1f}→{now.rss_mb:<6.1f} {told}")
        sizes = ", ".join(f"{place} {len(text) / 1e6:.1f} MB" for place, text in self.places.items())
        rows.append(f"\nleft: {self.left}, keys {self.eternal}, files {sorted(self.files)}; searched: {sizes}")
        return "\n".join(rows)

    def still_open(self, more: int) -> list[str]:
        """Return what is open that was not: beyond so many that pools may have more."""
        found = []
        for name, was in self.warm.items():
            now = self.after[name]
            if now.half_closed > more:  # a pool notices that its vendor closed when it wants the connection again
                found.append(f"{name}: {now.half_closed} sockets half closed")
            if max(now.files - was.files, now.sockets - was.sockets, now.threads - was.threads) > more:
                found.append(f"{name}: {was} became {now}")
            if (begun := now.tasks - was.tasks).total() > more:
                found.append(f"{name}: tasks {dict(begun)}")
        return found

    def grown(self, share: float) -> list[str]:
        """Return the processes whose memory grew by more than this share."""
        return [
            f"{name}: {was.rss_mb:.1f} to {self.after[name].rss_mb:.1f} MB"
            for name, was in self.warm.items()
            if self.after[name].rss_mb > was.rss_mb * (1 + share)
        ]

    def searched(self) -> dict[str, bytes]:
        """Return what may have no canary at all; each place has something."""
        assert all(self.places.values()), {place: len(text) for place, text in self.places.items()}
        return self.places

    def tokens(self, count: int, random: Random) -> list[str]:
        """Return some of the tokens that were handed out."""
        return random.sample(self.soaked.secrets, min(count, len(self.soaked.secrets)))

    def wrong(self, more_open: int, more_mb: float, secrets: list[str]) -> dict[str, object]:
        """Return all that is wrong, by what it is about."""
        found: dict[str, object] = {
            "not held": self.soaked.faults,
            "not done": sorted(EVERYTHING - set(self.soaked.did)),
            "ended": self.ends,
            "left": {what: count for what, count in self.left.items() if count},
            "keys": self.eternal,
            "files": sorted(self.files),
            "open": self.still_open(more_open),
            "grown": self.grown(more_mb),
            "written down": hits(secrets, self.searched()),
        }
        return {about: what for about, what in found.items() if what}
