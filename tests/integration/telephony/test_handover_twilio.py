"""Callers who are handed over to persons, and what the application says in calls, on real processes and a double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from carrier_call import TwilioCall
from telephone_agents import DESK
from twilio_world import OVER_S, PERSON, World, twilio_world

from voicebackend import BackendConfig, VoiceBackend
from voicebackend.errors import AuthorizationFailed

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Give a deployment, and who is called."""
    async with twilio_world(tmp_path_factory.mktemp("outbound")) as running:
        yield running


async def wanting(call: TwilioCall, whom: str) -> None:
    """Want somebody, and listen to whatever comes of it until the call is over."""
    call.say(whom)
    await call.closed()


async def test_an_agent_hands_a_caller_over_once_its_words_were_heard(world: World) -> None:
    """The person takes the call; the session ends with it."""
    world.party = lambda call: wanting(call, "person")
    world.carrier.script, world.carrier.dialled = (lambda number: "completed"), (lambda number: "completed")
    found = await world.over(await world.call(PERSON, agent="desk"))
    assert found["state"] == "done"
    assert world.heard[-1] == "one moment"
    assert f">{DESK}</Dial>" in world.carrier.calls[-1].twiml[1]
    assert len(world.carrier.calls[-1].twiml) == 3


async def test_a_caller_whom_nobody_takes_is_back_with_the_agent(world: World) -> None:
    """In the same session, which says that it is sorry and answers again."""
    streams = 0

    async def insistent(call: TwilioCall) -> None:
        nonlocal streams
        streams += 1
        if streams == 1:
            await wanting(call, "person")
        else:
            await call.until(lambda: call.words == "nobody there")
            call.say("well then")
            await call.until(lambda: call.words.endswith("well then"))
            await call.hang_up()

    world.party = insistent
    world.carrier.script, world.carrier.dialled = (lambda number: "completed"), (lambda number: "busy")
    found = await world.over(await world.call(PERSON, agent="desk"))
    assert found["state"] == "done"
    assert world.heard[-2] == "one moment"
    assert world.heard[-1].startswith("nobody there")
    assert world.heard[-1].endswith("well then")
    first, _, again = world.carrier.calls[-1].twiml
    assert first != again  # another token
    assert found["attempts"][0]["session"] in again
    assert await world.end_of(found["attempts"][0]["session"]) == "hangup"


async def test_a_call_that_came_in_is_handed_over_as_well(world: World) -> None:
    """By the same account; it comes back as well, if nobody is there."""
    streams: list[str] = []

    async def caller(call: TwilioCall) -> None:
        streams.append("")
        if len(streams) == 1:
            await wanting(call, "person")
        else:
            await call.until(lambda: call.words == "nobody there")
            await call.hang_up()

    world.party, world.carrier.dialled = caller, lambda number: "no-answer"
    webhook = f"{world.site.url}/v1/telephony/main/call"
    call = world.carrier.ring_in(webhook, to="+14155559999", caller="+12025550111")
    async with asyncio.timeout(OVER_S):
        await call.over.wait()
    assert world.heard[-2:] == ["one moment", "nobody there"]
    assert f">{DESK}</Dial>" in call.twiml[1]


async def test_the_application_has_the_last_word(world: World) -> None:
    """By the library: a notice in the agent's voice, a handover that is refused, and words that end the call."""

    async def listener(call: TwilioCall) -> None:
        config = BackendConfig(provider="mock")
        async with VoiceBackend(config, control_url=world.site.url, api_key=world.site.api_key) as backend:
            session = await backend.get_session(await world.live())
            await session.say("first a notice")
            await call.answered()
            assert call.words == "first a notice"
            with pytest.raises(AuthorizationFailed):
                await session.transfer("+6768765432")
            await session.say("and goodbye", then_end=True)
            await call.closed()

    world.party, world.carrier.script = listener, lambda number: "completed"
    found = await world.over(await world.call(PERSON))
    assert world.heard[-1].startswith("first a notice")
    assert world.heard[-1].endswith("and goodbye")
    assert await world.end_of(found["attempts"][0]["session"]) == "closed"


async def test_nobody_is_handed_over_to_a_number_that_is_not_allowed(world: World) -> None:
    """The agent hears of it, and so does who asks over HTTP."""
    answers: list[int] = []

    async def swindler(call: TwilioCall) -> None:
        call.say("tonga")
        await call.until(lambda: call.words == "not allowed")
        live = await world.live()
        for to in ("+6768765432", "not a number"):
            url = f"{world.site.url}/v1/sessions/{live}/transfer"
            async with world.http.post(url, json={"to": to}) as response:
                answers.append(response.status)
        await world.ask("POST", f"/v1/sessions/{live}/transfer", json={"to": DESK})
        await call.closed()

    world.party = swindler
    world.carrier.script, world.carrier.dialled = (lambda number: "completed"), (lambda number: "completed")
    await world.over(await world.call(PERSON, agent="desk"))
    assert answers == [403, 400]
    assert f">{DESK}</Dial>" in world.carrier.calls[-1].twiml[1]
