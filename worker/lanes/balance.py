"""Which lanes a worker hands over, makes and drops, so that sessions and lanes are spread evenly: pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from worker.lanes.plan import Member, Orphan, others

HYSTERESIS = 0.1
"""Part of its slots by which a giver stays fuller than the receiver. Above 0: no ping-pong."""
REBALANCE_S = 2.0
"""Seconds between two looks at the balance: by then everybody announced what the last move changed."""


def to_hand_over(
    me: Member, members: Iterable[Member], *, now_ms: int, needs: Mapping[int, frozenset[str]] = MappingProxyType({})
) -> list[int]:
    """Return the busy lane to hand over now, none or one; look again once it has moved, or after ``REBALANCE_S``.

    The fullest worker gives to the emptiest, the next to the next. A lane moves only if the giver is still fuller than
    the receiver afterwards, by ``HYSTERESIS``: each move evens out, so lanes come to rest. Who drains gives every lane
    that another has room for. ``needs`` has the providers that each lane's sessions need.
    """
    able = [member for member in others(me, members, now_ms) if member.admitting]
    busy = sorted((sessions, lane) for lane, sessions in me.lanes.items() if sessions)
    if me.draining:
        movable = (lane for sessions, lane in busy if any(_fits(sessions, needs.get(lane), other) for other in able))
        return list(movable)[:1]
    receiver = _receiver(me, able)
    if receiver is None:
        return []
    for sessions, lane in reversed(busy):
        even = me.fullness_with(-sessions) - receiver.fullness_with(sessions) >= HYSTERESIS
        if even and receiver.fullness_with(sessions) <= 1 and needs.get(lane, frozenset()) <= receiver.providers:
            return [lane]
    return []


def _fits(sessions: int, needs: frozenset[str] | None, member: Member) -> bool:
    return sessions <= member.takeover_room and (needs or frozenset()) <= member.providers


def _receiver(me: Member, able: Sequence[Member]) -> Member | None:
    """Return whom this worker gives to: the n-th fullest gives to the n-th emptiest."""
    ranked = sorted([me, *able], key=lambda member: (member.fullness, member.id))
    mine = ranked.index(me)
    receiver = ranked[len(ranked) - 1 - mine]
    return receiver if mine > len(ranked) - 1 - mine else None


def to_create(me: Member, members: Iterable[Member], orphans: Iterable[Orphan], *, wanted: int) -> list[int]:
    """Return the numbers of lanes to make, so that this worker has ``wanted``: never more lanes than slots.

    They are the lowest that nobody announces; workers that make lanes at the same time pick others.
    """
    everyone = {member.id: member for member in members} | {me.id: me}
    missing = min(wanted, me.slots_total or wanted) - len(me.lanes)
    if me.draining or missing <= 0:
        return []
    taken = {orphan.lane for orphan in orphans}.union(*(member.lanes for member in everyone.values()))
    makers = sorted(member.id for member in everyone.values() if len(member.lanes) < wanted and not member.draining)
    first = makers.index(me.id) * wanted if me.id in makers else 0
    free = (number for number in range(len(taken) + first + missing) if number not in taken)
    return list(free)[first : first + missing]


def to_drop(me: Member, *, wanted: int) -> list[int]:
    """Return the empty lanes to give up: those beyond ``wanted``, highest numbers first; all of them when draining."""
    empty = sorted((lane for lane, sessions in me.lanes.items() if not sessions), reverse=True)
    surplus = len(empty) if me.draining else max(0, len(me.lanes) - wanted)
    return empty[:surplus]
