"""Who is let in: by network, by secret, and how often."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from control.telephony.sip.digest import Digest, Verdict
from control.telephony.sip.events import Source
from control.telephony.sip.message import Request
from control.telephony.sip.reply import Refusal
from control.telephony.sip.token_bucket import TokenBucket
from control.telephony.sip.trunks import TrunkAccess, Trunks

ASKS, BUSY = 401, 503
RETRY = ("Retry-After", "1")
STRANGERS_S = 2.0
"""Answers a second to all together who belong to no trunk.

A few, so that whoever sets up a trunk sees 403 and not silence; no more, because the address that a datagram says it
is from may be the one that is to be flooded.
"""
BURST_S = 1.0
"""Seconds' worth of calls that may come at once."""


class Access:
    """Judges sources and requests."""

    def __init__(self, trunks: Mapping[str, TrunkAccess], *, secret: bytes, per_second: float) -> None:
        self._trunks, self._former = Trunks(trunks), Trunks({})
        self._digest = Digest(secret)
        self._calls = TokenBucket(per_second, per_second * BURST_S)
        self._strangers = TokenBucket(STRANGERS_S, STRANGERS_S)

    def trunk(self, source: Source) -> str:
        """Return the trunk of a source; empty for strangers."""
        return self._trunks.named(source.host)

    def former(self, source: Source) -> list[str]:
        """Return the trunks by which calls that go on may have come from a source; nothing begins by these."""
        return self._former.all(source.host)

    def renew(self, trunks: Mapping[str, TrunkAccess], used: Collection[str]) -> None:
        """Take another table; trunks that are ``used`` by what goes on keep, for that, the networks that they had."""
        self._former = self._former.kept(used, self._trunks)
        self._trunks = Trunks(trunks)

    def tells_stranger(self, now: float) -> bool:
        """Tell whether a stranger gets an answer at all."""
        return self._strangers.take("", now)

    def refusal(self, request: Request, source: Source, trunk: str, now: float) -> Refusal | None:
        """Count a call, or another request from outside of calls, and return how it is refused: 503, or 401 that asks.

        None lets it in. What answers a challenge does not count: the request that was challenged did.
        """
        access = self._trunks[trunk]
        verdict = self._digest.judge(request, access, now) if access.user else Verdict.GOOD
        if verdict is not Verdict.ANSWERS and not self._calls.take(source.host, now):
            return Refusal(BUSY, (RETRY,))
        if verdict in {Verdict.GOOD, Verdict.ANSWERS}:
            return None
        return Refusal(ASKS, self._digest.challenges(access, now, stale=verdict is Verdict.STALE))
