"""In which order a tier's targets are asked: by weight, and always the same for the same call. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import blake2b

from control.telephony.routing.table import Share

_TOP = 2.0**64


def ordered(shares: Iterable[Share], call_id: str) -> list[str]:
    """Return the names of targets by weighted rendezvous of the call's id.

    Over many calls each is first as often as its weight says; a call that is asked about again gets the same answer;
    and a target that is taken away moves only the calls that it had.
    """
    return [share.target for share in sorted(shares, key=lambda share: (_distance(share, call_id), share.target))]


def _distance(share: Share, call_id: str) -> float:
    digest = blake2b(f"{share.target}\0{call_id}".encode(), digest_size=8).digest()
    return -math.log((int.from_bytes(digest) + 0.5) / _TOP) / share.weight
