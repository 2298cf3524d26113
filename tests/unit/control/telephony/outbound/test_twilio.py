"""Calls at Twilio: what is asked of its REST API, and what its answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import twilio_double
from environment import environment
from twilio_double import TwilioDouble

from control.telephony.outbound.carrier import DialOrder, OutboundCarrier, Outcome
from control.telephony.outbound.carriers.twilio import TwilioCalls, is_machine
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidConfig,
    InvalidFormat,
    RateLimitExceeded,
    VoiceBackendError,
)

BASE = "https://voice.example.com/v1/telephony/main"
BACK = f"{BASE}/back"
ORDER = DialOrder(
    call="c1",
    attempt=1,
    trunk="main",
    from_="+14155550100",
    to="+14155550123",
    ring_s=25,
    answer_url="",
    status_url="",
    detect_machine=True,
    await_greeting=True,
)
URLS = {"answer_url": f"{BASE}/calls/c1/answered?attempt=1", "status_url": f"{BASE}/calls/c1/status?attempt=1"}
PACKAGES = ("twilio==9.13.0",)


@pytest.fixture
async def double() -> AsyncIterator[TwilioDouble]:
    """Give a double."""
    async with twilio_double.twilio() as running:
        yield running


@pytest.fixture
async def calls(double: TwilioDouble) -> AsyncIterator[OutboundCarrier]:
    """Give our client of it."""
    client = TwilioCalls(twilio_double.ACCOUNT, twilio_double.TOKEN, url=double.url)
    yield client
    await client.aclose()


async def test_an_order_becomes_a_call_and_is_found_by_its_id(double: TwilioDouble, calls: OutboundCarrier) -> None:
    """With what has become of it."""
    sid = await calls.dial(ORDER)
    double.calls[0].status, double.calls[0].answered_by = "in-progress", "machine_end_beep"
    found = await calls.find(replace(ORDER, carrier_call_id=sid))
    assert found is not None
    assert (found.outcome, found.machine, found.carrier_call_id) == (Outcome.ANSWERED, True, sid)


async def test_a_call_is_handed_over_and_ended(double: TwilioDouble, calls: OutboundCarrier) -> None:
    """To end it again is fine; to hand it over then is not."""
    sid = await calls.dial(ORDER)
    await calls.transfer(sid, "+14155550199", back_url=BACK)
    assert "<Dial" in double.calls[0].twiml[0]
    assert f'action="{BACK}"' in double.calls[0].twiml[0]
    await calls.hang_up(sid)
    assert double.calls[0].over.is_set()
    double.calls[0].status = "completed"
    await calls.hang_up(sid)
    await calls.hang_up("CA" + "f" * 32)
    with pytest.raises(InvalidConfig, match="the call is over"):
        await calls.transfer(sid, "+14155550199", back_url=BACK)


async def test_without_an_id_a_recent_call_cannot_be_told_apart(calls: OutboundCarrier) -> None:
    """So the attempt is not made again; where there is none at all, it was not made."""
    assert await calls.find(ORDER) is None
    await calls.dial(ORDER)
    assert await calls.find(replace(ORDER, to="+14155550124")) is None
    with pytest.raises(ConnectionFailed, match="cannot be told"):
        await calls.find(ORDER)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [(429, RateLimitExceeded, True), (503, ConnectionFailed, True), (302, InvalidConfig, False)],
)
async def test_refusals_say_whether_to_dial_again(
    double: TwilioDouble, calls: OutboundCarrier, status: int, kind: type[VoiceBackendError], retryable: bool
) -> None:
    """With the seconds that Twilio asks for; no redirect is followed."""
    double.faults.append((status, {"Retry-After": "7", "Location": "http://127.0.0.1:1/"}))
    with pytest.raises(kind) as caught:
        await calls.dial(ORDER)
    assert caught.value.retryable is retryable
    assert caught.value.retry_after == 7
    assert not double.calls


async def test_a_number_that_is_none_is_refused_for_good(calls: OutboundCarrier) -> None:
    """With Twilio's code, and without the number."""
    with pytest.raises(InvalidConfig) as caught:
        await calls.dial(replace(ORDER, to=twilio_double.FORBIDDEN))
    assert caught.value.details == {"status": 400, "carrier_code": "21211"}
    assert twilio_double.FORBIDDEN not in str(caught.value)


async def test_a_wrong_token_is_no_retry(double: TwilioDouble) -> None:
    """And it is in no error."""
    client = TwilioCalls(twilio_double.ACCOUNT, "wrong-token", url=double.url)
    with pytest.raises(AuthenticationFailed) as caught:
        await client.dial(ORDER)
    assert "wrong-token" not in repr((caught.value.details, str(caught.value), client))
    await client.aclose()


async def test_who_does_not_answer_has_perhaps_been_dialled() -> None:
    """Nobody listens, or says anything else than a call."""
    client = TwilioCalls(twilio_double.ACCOUNT, twilio_double.TOKEN, url="http://127.0.0.1:9")
    with pytest.raises(ConnectionFailed) as caught:
        await client.dial(ORDER)
    assert "127.0.0.1" not in str(caught.value)
    with pytest.raises(InvalidFormat):
        await client.hang_up("../Accounts")
    await client.aclose()


def test_whose_answer_is_known_only_where_twilio_says_so() -> None:
    """A fax is a machine."""
    assert is_machine("human") is False
    assert is_machine("fax") is True
    assert is_machine("machine_start") is True
    assert is_machine("unknown") is None
    assert is_machine(None) is None


@pytest.mark.peers
async def test_what_we_ask_is_what_twilios_own_package_asks(double: TwilioDouble, calls: OutboundCarrier) -> None:
    """The same methods, paths and forms in the same order; and the package understands the double."""
    order = replace(ORDER, **URLS)
    sid = await calls.dial(order)
    with pytest.raises(ConnectionFailed):
        await calls.find(order)
    await calls.transfer(sid, "+14155550199", back_url=BACK)
    twiml = double.calls[0].twiml[0]
    await calls.hang_up(sid)
    await calls.find(replace(order, carrier_call_id=sid))
    ours = [(method, path.replace(sid, "SID"), form) for method, path, form in double.requests]
    double.requests.clear()

    create = {
        "to": order.to,
        "from_": order.from_,
        "url": order.answer_url,
        "method": "POST",
        "timeout": order.ring_s,
        "status_callback": order.status_url,
        "status_callback_method": "POST",
        "status_callback_event": ["initiated", "ringing", "answered", "completed"],
        "machine_detection": "DetectMessageEnd",
        "async_amd": "true",
        "async_amd_status_callback": order.status_url,
        "async_amd_status_callback_method": "POST",
    }
    account = {"url": double.url, "account": twilio_double.ACCOUNT, "token": twilio_double.TOKEN}
    python = await asyncio.to_thread(environment, "twilio", PACKAGES)
    oracle = Path(__file__).parents[4] / "peers" / "twilio_oracle.py"
    asking = await asyncio.create_subprocess_exec(
        str(python),
        str(oracle),
        json.dumps({**account, "create": create, "twiml": twiml}),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await asking.communicate()
    understood = json.loads(told)
    assert understood["listed"] == [understood["sid"], sid]
    theirs = [(method, path.replace(understood["sid"], "SID"), form) for method, path, form in double.requests]
    assert ours == theirs
