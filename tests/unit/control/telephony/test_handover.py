"""Handing calls over: who may be called for that, and what is known of a call that is away."""

from __future__ import annotations

from typing import Any

import pytest
from fakeredis import FakeAsyncRedis

from control.telephony.handover import AWAY_S, SORRY, CallHandover
from control.telephony.outbound.line import HandoverLine
from control.telephony.streams.away_socket import Handover
from voicebackend.agents import Turn
from voicebackend.errors import AuthorizationFailed, ConnectionFailed, InvalidConfig, SessionNotActive
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import PipelineType, SessionState, Transport

SESSION, SID, DESK = "0" * 31 + "a", "CA" + "0" * 32, "+14155550199"


class Carrier:
    """Takes every call, unless it is told not to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.fails = False

    async def transfer(self, carrier_call_id: str, to: str, *, back_url: str) -> None:
        """Note it."""
        if self.fails:
            raise ConnectionFailed("transfer")
        self.asked.append((carrier_call_id, to, back_url))


class Lines:
    """One trunk."""

    def __init__(self, carrier: Any, *, tenant: str = "t", room_name: str = "") -> None:
        self.line = HandoverLine(
            name="main", tenant=tenant, kind="twilio", to=frozenset({DESK}), room_name=room_name, carrier=carrier
        )

    async def handover(self, trunk: str) -> HandoverLine | None:
        """Return it."""
        return self.line if trunk == "main" else None


def record(**changes: Any) -> SessionRecord:
    """Return the record of a call's session."""
    fields: dict[str, Any] = {
        "id": SESSION,
        "tenant": "t",
        "user_id": "u",
        "provider": "mock",
        "transport": Transport.TELEPHONY,
        "pipeline_type": PipelineType.STT_TTS,
        "state": SessionState.ACTIVE,
        "metadata": {"trunk": "main", "call_id": SID},
        "created_at": 0.0,
    }
    return SessionRecord(**{**fields, **changes})


def handing(carrier: Carrier, **line: Any) -> CallHandover:
    """Return what hands calls over."""
    lines: Any = Lines(carrier, **line)
    return CallHandover(FakeAsyncRedis(), Keys("p"), lines, "https://voice.example.com")


async def test_a_call_goes_to_whom_the_trunk_lists_and_is_away_then() -> None:
    """The carrier learns where to ask how it goes on; until it comes back, or for long enough."""
    carrier = Carrier()
    desk = handing(carrier)
    assert await desk.standing(SESSION) is Handover.NONE
    await desk.begin(record(), DESK, sorry="nobody there")
    assert carrier.asked == [(SID, DESK, f"https://voice.example.com/v1/telephony/main/sessions/{SESSION}/back")]
    assert await desk.standing(SESSION) is Handover.AWAY
    assert 0 < await desk._redis.ttl(Keys("p").handover(SESSION)) <= AWAY_S
    assert await desk.back(SESSION) == "nobody there"
    assert await desk.standing(SESSION) is Handover.BACK
    await desk.over(SESSION)
    assert await desk.back(SESSION) is None


async def test_a_call_that_lives_in_a_room_is_known_by_that() -> None:
    """Whatever its metadata says."""
    carrier = Carrier()
    await handing(carrier, room_name="room-{session_id}").begin(record(), DESK)
    assert carrier.asked[0][0] == f"room-{SESSION}"


async def test_where_the_carrier_refuses_the_call_stays() -> None:
    """It is not away, so that its end is a hang-up."""
    carrier = Carrier()
    carrier.fails = True
    desk = handing(carrier)
    with pytest.raises(ConnectionFailed):
        await desk.begin(record(), DESK)
    assert await desk.standing(SESSION) is Handover.NONE


@pytest.mark.parametrize("to", ["+19005551234", DESK[:-1], f"{DESK}0", "", "*"])
async def test_no_other_number_is_called(to: str) -> None:
    """Whoever can name one can run up the bill."""
    carrier = Carrier()
    with pytest.raises(AuthorizationFailed) as caught:
        await handing(carrier).begin(record(), to)
    assert carrier.asked == []
    assert caught.value.details == {"field": "to"}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"state": SessionState.STARTING}, SessionNotActive),
        ({"state": SessionState.ENDED}, SessionNotActive),
        ({"metadata": {}}, InvalidConfig),
        ({"metadata": {"trunk": "other", "call_id": SID}}, InvalidConfig),
        ({"metadata": {"trunk": ["main"], "call_id": SID}}, InvalidConfig),
        ({"metadata": {"trunk": "main"}}, InvalidConfig),
        ({"metadata": {"trunk": "main", "call_id": 7}}, InvalidConfig),
        ({"tenant": "other"}, InvalidConfig),
    ],
)
async def test_what_is_no_call_of_the_trunks_tenant_is_not_handed_over(
    changes: dict[str, Any], kind: type[Exception]
) -> None:
    """A session's metadata is its creator's word: another tenant's trunk is none of theirs."""
    carrier = Carrier()
    with pytest.raises(kind):
        await handing(carrier).begin(record(**changes), DESK)
    assert carrier.asked == []


def test_the_apology_is_one_a_voice_can_say() -> None:
    """The same for agents and over HTTP."""
    said: list[tuple[str, str]] = []
    Turn(session_id=SESSION, number=1, transcript="", operator=lambda *asked: said.append(asked)).transfer(DESK)
    assert said == [(DESK, SORRY)]
