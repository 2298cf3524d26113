"""Telephone calls by SIP through the real processes, with a telephone that speaks in tones."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from listening import alike
from sip_caller import SipCaller, telephone
from sip_stack import PBX, Exchange, exchange

from voicebackend.codecs import Encoding

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
ALIKE = 0.85
"""Share of a text that arrives at least, also on a machine that keeps a telephone waiting."""
NUMBER = "+14155559999"
SENTENCE = "the quick brown fox jumps over the lazy dog"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    """Give a deployment that gives callers up after 3 s of silence."""
    async with exchange(tmp_path_factory.mktemp("sip"), media_timeout_s=3) as running:
        yield running


async def test_a_conversation_is_held_by_sip(pbx: Exchange) -> None:
    """It rings, is answered, words arrive both ways; who hangs up ends the session."""
    async with telephone(pbx.place) as phone:
        phone.invite(NUMBER, headers="X-Customer: 42")
        await phone.answered(180)
        await phone.answered()
        phone.ack()
        phone.say("good morning")
        await phone.quiet()
        assert alike(phone.words, "good morning", ALIKE)
        assert len(phone.sources) == 1
        (session,) = await pbx.sessions(phone.call_id)
        assert (await pbx.get("/readyz"))["sip"] == "answers"
        await phone.hang_up()
        events = await pbx.log(phone.call_id)
    assert events[-1]["reason"] == "hangup"
    told = session["metadata"]
    assert (told["carrier"], told["trunk"], told["phone_number"]) == ("sip", "pbx", NUMBER)
    assert told["said"] == {"caller": "+12025550111", "number": "+12025550111", "headers": {"x-customer": "42"}}
    assert session["user_id"] == "+12025550111"


async def test_a_telephone_that_has_only_a_law_is_answered_in_it(pbx: Exchange) -> None:
    """Its silence is not of zeros, which the mock takes for speech: so it says nothing."""
    async with telephone(pbx.place, encoding=Encoding.ALAW) as phone:
        phone.is_mute = True
        await phone.talk(NUMBER)
        await phone.until(lambda: phone.packets > 10)
        assert "RTP/AVP 8 96" in phone.answers[-1].body
        await phone.hang_up()


async def test_who_is_interrupted_stops_and_what_was_heard_is_known(pbx: Exchange) -> None:
    """To the word: what was sent is what the agent is told to have said."""
    async with telephone(pbx.place) as phone:
        await phone.talk(NUMBER)
        phone.say(SENTENCE)
        await phone.until(lambda: phone.heard_s > 1.2)
        phone.say("please stop it now")
        await phone.until(lambda: alike(phone.words[-18:], "please stop it now", 0.95))
        await phone.hang_up()
        events = await pbx.log(phone.call_id)
    said = [event for event in events if event["type"] == "transcript" and event["final"] and event["role"] == "agent"]
    cut = next(event["text"].strip() for event in said if event.get("interrupted"))
    heard = phone.words[:-18]
    assert alike(heard, SENTENCE[: len(heard)], ALIKE)
    assert len(heard) < len(SENTENCE)
    assert abs(len(heard.strip()) - len(cut)) <= 8  # a word at the cut may be counted or not


async def test_keys_arrive_once_each_by_sound_and_by_signalling(pbx: Exchange) -> None:
    """Among speech, too."""
    async with telephone(pbx.place) as phone:
        await phone.talk(NUMBER)
        phone.press("15#*")
        await phone.until(lambda: not phone._keys)
        await phone.info("9")
        phone.say("good morning")
        await phone.quiet()
        assert alike(phone.words, "good morning", ALIKE)
        await phone.hang_up()
        events = await pbx.log(phone.call_id)
    assert [event["digit"] for event in events if event["type"] == "dtmf"] == ["1", "5", "#", "*", "9"]


async def test_a_call_on_hold_hears_nothing_and_goes_on_where_it_was(pbx: Exchange) -> None:
    """Longer than a silent caller would be kept."""
    async with telephone(pbx.place) as phone:
        await phone.talk(NUMBER)
        phone.say(SENTENCE)
        await phone.until(lambda: phone.heard_s > 1.0)
        answer = await phone.hold(on=True)
        assert "a=recvonly" in answer.body
        phone.is_mute = True
        packets = phone.packets
        await asyncio.sleep(4)
        assert phone.packets <= packets + 2
        phone.is_mute = False
        await phone.hold(on=False)
        await phone.quiet()
        assert alike(phone.words, SENTENCE, ALIKE)
        await phone.hang_up()
        assert (await pbx.log(phone.call_id))[-1]["reason"] == "hangup"


async def test_a_call_that_is_cancelled_leaves_no_session(pbx: Exchange) -> None:
    """Whoever hangs up while it rings."""
    async with telephone(pbx.place) as phone:
        phone.invite(NUMBER)
        phone.cancel()
        await phone.answered(487)
        async with asyncio.timeout(20):
            while any(one["state"] not in {"ended", "failed"} for one in await pbx.sessions(phone.call_id)):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def test_injected_sound_is_not_heard(pbx: Exchange) -> None:
    """As loud as the caller and as often, from the same machine: every word of the caller's arrives, and no other."""
    async with telephone(pbx.place) as phone:
        await phone.talk(NUMBER)
        injecting = asyncio.create_task(_inject(phone), name="injection")
        try:
            phone.say(SENTENCE)
            await phone.quiet()
        finally:
            injecting.cancel()
            await asyncio.gather(injecting, return_exceptions=True)
        await phone.hang_up()
        events = await pbx.log(phone.call_id)
    spoken = [one for one in events if one["type"] == "transcript" and one["final"] and one["role"] == "user"]
    said = " ".join(one["text"] for one in spoken)  # in one turn, unless this machine made the caller pause
    assert alike(said, SENTENCE, ALIKE), said


async def _inject(phone: SipCaller) -> None:
    """Send loud packets with another, and with the caller's, SSRC."""
    noise = random.Random(1)  # noqa: S311
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        number = 0
        while True:
            number += 1
            for ssrc in (7, phone._ssrc):
                header = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, ssrc)
                sender.sendto(header + noise.randbytes(160), phone.media)
            await asyncio.sleep(0.02)


async def test_a_call_outlives_its_trunk(pbx: Exchange) -> None:
    """A changed file lets new callers in or keeps them out; who talks, talks on."""
    async with telephone(pbx.place) as phone, telephone(pbx.place) as late:
        await phone.talk(NUMBER)
        await pbx.change(2, other={"carrier": "sip", "networks": ["192.0.2.0/24"]})
        late.invite(NUMBER)
        await late.answered(403)
        phone.say("good morning")
        await phone.quiet()
        assert alike(phone.words, "good morning", ALIKE)
        await phone.hang_up()
        assert (await pbx.log(phone.call_id))[-1]["reason"] == "hangup"
        await pbx.change(1, pbx=PBX)
    async with telephone(pbx.place) as phone:
        await phone.talk(NUMBER)
        await phone.hang_up()


async def test_a_caller_that_vanishes_is_given_up(pbx: Exchange) -> None:
    """It says nothing any more, not even BYE; its session ends."""
    async with telephone(pbx.place) as phone:
        await phone.talk(NUMBER)
        phone.say("good morning")
        await phone.quiet()
        phone.vanished = True
        assert (await pbx.log(phone.call_id))[-1]["reason"] == "hangup"


async def test_a_session_that_ends_hangs_up(pbx: Exchange) -> None:
    """As when the agent is done."""
    async with telephone(pbx.place) as phone:
        await phone.talk(NUMBER)
        phone.say("good morning")
        await phone.quiet()
        await pbx.end(phone.call_id)
        await phone.ended()


async def test_who_makes_no_offer_gets_ours(pbx: Exchange) -> None:
    """And answers it when it confirms."""
    async with telephone(pbx.place) as phone:
        phone.invite(NUMBER, offer=None)
        answer = await phone.answered()
        assert "RTP/AVP 0 8 101" in answer.body
        phone.ack(phone.sdp())
        phone.say("good morning")
        await phone.quiet()
        assert alike(phone.words, "good morning", ALIKE)
        await phone.hang_up()


async def test_what_cannot_be_is_refused_before_anything_is_begun(pbx: Exchange) -> None:
    """Encrypted media, a third party's address, a number without a route."""
    for number, change, status in [
        (NUMBER, ("RTP/AVP", "RTP/SAVP"), 488),
        (NUMBER, ("c=IN IP4 127.0.0.1", "c=IN IP4 8.8.8.8"), 488),
        (NUMBER, ("c=IN IP4 127.0.0.1", "c=IN IP4 evil.invalid"), 488),
        ("+493012345678", ("", ""), 404),
    ]:
        async with telephone(pbx.place) as phone:
            phone.invite(number, offer=phone.sdp().replace(*change))
            await phone.answered(status)
            assert await pbx.sessions(phone.call_id) == []


async def test_a_process_that_ends_takes_no_calls_and_hangs_up_what_is_left(tmp_path: Path) -> None:
    """First it waits for calls to end; who calls meanwhile may try elsewhere."""
    async with exchange(tmp_path, drain_s=7) as pbx, telephone(pbx.place) as phone, telephone(pbx.place) as late:
        await phone.talk(NUMBER)
        phone.say("good morning")
        await phone.quiet()
        pbx.running.signal("control", 15)
        await phone.until(lambda: pbx.running.said("control", '"stopping"|stopping'))
        late.invite(NUMBER)
        await late.answered(503)
        phone.say("still there")
        await phone.quiet()
        assert alike(phone.words, "good morningstill there", ALIKE)
        await phone.ended()
