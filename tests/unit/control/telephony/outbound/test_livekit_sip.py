"""Calls by LiveKit's SIP service: what it is asked, as its own package reads it, and what is known of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis
from livekit import api
from livekit_sip_double import KEY, SECRET, LiveKitSipDouble, livekit_sip, twirp

from control.telephony.outbound.carrier import DialOrder, Outcome
from control.telephony.outbound.carriers import livekit_sip as carrier
from control.telephony.outbound.carriers.livekit_sip import LiveKitSip
from voicebackend.errors import ConnectionFailed, InvalidConfig, RateLimitExceeded, SessionNotActive, VoiceBackendError
from voicebackend.keys import Keys
from voicebackend.record import encode_log

SESSION = "0" * 31 + "a"
ROOM = f"room-{SESSION}"
ORDER = DialOrder(
    call="c1",
    attempt=1,
    trunk="lk",
    from_="+14155550100",
    to="+14155550123",
    ring_s=25,
    answer_url="",
    status_url="",
    session=SESSION,
)


@pytest.fixture
async def double(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveKitSipDouble]:
    """Give a server; nobody waits for early refusals longer than they take here."""
    monkeypatch.setattr(carrier, "EARLY_S", 0.3)
    async with livekit_sip() as running:
        yield running


@pytest.fixture
async def calls(double: LiveKitSipDouble) -> AsyncIterator[LiveKitSip]:
    """Give our client of it."""
    client = _client(double, FakeAsyncRedis())
    yield client
    await client.aclose()


def _client(double: LiveKitSipDouble, redis: FakeAsyncRedis) -> LiveKitSip:
    return LiveKitSip(
        KEY, SECRET, url=double.url, sip_trunk="ST_1", room_name="room-{session_id}", redis=redis, keys=Keys("p")
    )


async def until(calls: LiveKitSip, outcome: Outcome) -> str:
    """Return the carrier's code once the call has come to this."""
    async with asyncio.timeout(10):
        while True:
            try:
                found = await calls.find(ORDER)
            except ConnectionFailed:
                found = None
            if found is not None and found.outcome is outcome:
                assert found.carrier_call_id == ROOM
                return found.code
            await asyncio.sleep(0.01)


async def test_a_call_rings_is_answered_and_ends(double: LiveKitSipDouble, calls: LiveKitSip) -> None:
    """Each is known in any process; what was never ordered is none."""
    assert await calls.find(ORDER) is None
    assert await calls.dial(ORDER) == ROOM
    await until(calls, Outcome.RINGING)
    double.answer(ROOM, 200)
    await until(calls, Outcome.ANSWERED)
    await calls.hang_up(ROOM)
    await until(calls, Outcome.COMPLETED)
    await calls.hang_up(ROOM)
    assert double.request_ids == ["c1-1"]


async def test_the_request_is_the_one_that_livekits_package_makes(double: LiveKitSipDouble, calls: LiveKitSip) -> None:
    """Field for field, also for a call that is handed over."""
    await calls.dial(ORDER)
    assert await double.ordered.get() == ROOM
    double.answer(ROOM, 200)
    await until(calls, Outcome.ANSWERED)
    await calls.transfer(ROOM, "+14155550199", back_url="")
    ours = [told for method, told in double.asked if method.endswith("SIPParticipant")]
    double.asked.clear()

    async with api.LiveKitAPI(double.url.replace("ws", "http"), KEY, SECRET) as package:
        wanted = api.CreateSIPParticipantRequest(
            sip_trunk_id="ST_1",
            sip_number=ORDER.from_,
            sip_call_to=ORDER.to,
            room_name=ROOM,
            participant_identity="caller",
            wait_until_answered=True,
        )
        wanted.ringing_timeout.FromSeconds(ORDER.ring_s)
        dialling = asyncio.create_task(package.sip.create_sip_participant(wanted))
        async with asyncio.timeout(10):
            await double.ordered.get()
        double.answer(ROOM, 200)
        await dialling
        over = api.TransferSIPParticipantRequest(
            room_name=ROOM, participant_identity="caller", transfer_to="tel:+14155550199", play_dialtone=True
        )
        over.ringing_timeout.FromSeconds(carrier.TRANSFER_RING_S)
        await package.sip.transfer_sip_participant(over)
    assert ours == [told for _, told in double.asked]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (486, Outcome.BUSY),
        (600, Outcome.BUSY),
        (603, Outcome.BUSY),
        (480, Outcome.NO_ANSWER),
        (408, Outcome.NO_ANSWER),
        (487, Outcome.NO_ANSWER),
        (404, Outcome.FAILED),
        (503, Outcome.FAILED),
    ],
)
async def test_sip_statuses_are_outcomes(
    double: LiveKitSipDouble, calls: LiveKitSip, status: int, outcome: Outcome
) -> None:
    """With the status as the carrier's reason."""
    await calls.dial(ORDER)
    double.answer(ROOM, status)
    assert await until(calls, outcome) == str(status)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("resource_exhausted", 429, RateLimitExceeded),
        ("invalid_argument", 400, InvalidConfig),
        ("unavailable", 503, ConnectionFailed),
    ],
)
async def test_what_the_service_refuses_is_told_at_once(
    double: LiveKitSipDouble, calls: LiveKitSip, code: str, status: int, kind: type[VoiceBackendError]
) -> None:
    """What may have been done is not written down as failed."""
    double.early = twirp(code, status, "no")
    with pytest.raises(kind):
        await calls.dial(ORDER)
    if kind is InvalidConfig:
        assert await until(calls, Outcome.FAILED) == code
    else:
        with pytest.raises(ConnectionFailed, match="not known yet"):
            await calls.find(ORDER)


async def test_nobody_is_called_into_no_room(double: LiveKitSipDouble, calls: LiveKitSip) -> None:
    """Nor rung for longer than an agent waits."""
    with pytest.raises(InvalidConfig):
        await calls.dial(replace(ORDER, session=""))
    assert double.asked == []
    await calls.dial(replace(ORDER, ring_s=120))
    assert double.asked[0][1]["ringing_timeout"] == "45s"


async def test_another_process_finds_what_this_one_ordered(double: LiveKitSipDouble, calls: LiveKitSip) -> None:
    """The one that waited for the answer is gone: who is in the room says it."""
    redis = FakeAsyncRedis()
    first = _client(double, redis)
    await first.dial(ORDER)
    await first.aclose()
    double.rooms[ROOM] = "active"
    other = _client(double, redis)
    await until(other, Outcome.ANSWERED)
    del double.rooms[ROOM]
    await until(other, Outcome.COMPLETED)
    await other.aclose()
    assert await calls.find(replace(ORDER, attempt=2)) is None


async def test_a_caller_who_came_by_sip_is_handed_over(double: LiveKitSipDouble, calls: LiveKitSip) -> None:
    """Under the identity that the service gave them; nobody else in the room is, and nobody who is not there."""
    double.rooms[ROOM], double.callers[ROOM] = "active", "sip_+12025550111"
    await calls.transfer(ROOM, "+14155550199", back_url="")
    [told] = [one for method, one in double.asked if method == "TransferSIPParticipant"]
    assert told["participant_identity"] == "sip_+12025550111"
    assert told["transfer_to"] == "tel:+14155550199"
    double.asked.clear()
    with pytest.raises(SessionNotActive):
        await calls.transfer(ROOM, "+14155550199", back_url="")
    assert [method for method, _ in double.asked] == ["ListParticipants"]


async def test_our_own_worker_tells_that_a_machine_answered(double: LiveKitSipDouble) -> None:
    """At once, or once its greeting is over; the service itself tells nobody."""
    redis, keys = FakeAsyncRedis(), Keys("p")
    calls, waiting = _client(double, redis), replace(ORDER, detect_machine=True, await_greeting=True)
    order = replace(ORDER, detect_machine=True)
    await calls.dial(order)
    double.answer(ROOM, 200)
    await until(calls, Outcome.ANSWERED)
    entry: Any = encode_log({"type": "answerer", "who": "machine", "speaks": True})
    await redis.xadd(keys.session_log(SESSION), entry)
    found = [await calls.find(one) for one in (order, waiting, ORDER)]
    assert [one and (one.outcome, one.machine) for one in found] == [
        *((Outcome.MACHINE, True), (Outcome.ANSWERED, None), (Outcome.ANSWERED, None)),
    ]
    await calls.aclose()


async def test_a_call_that_is_not_handed_over_stays(double: LiveKitSipDouble, calls: LiveKitSip) -> None:
    """And the error says so."""
    await calls.dial(ORDER)
    double.answer(ROOM, 200)
    await until(calls, Outcome.ANSWERED)
    double.transfer_fails = True
    with pytest.raises(InvalidConfig):
        await calls.transfer(ROOM, "+14155550199", back_url="")
    await until(calls, Outcome.ANSWERED)
