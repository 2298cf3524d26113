"""Calls that we make by Twilio, from the order to the end of the conversation, on real processes and a double."""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64encode
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
import pytest_asyncio
import twilio_double
from carrier_call import TwilioCall
from twilio_world import BUSY, MACHINE, NOBODY, PERSON, World, curious, twilio_world

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Give a deployment, and who is called."""
    async with twilio_world(tmp_path_factory.mktemp("outbound")) as running:
        yield running


async def test_a_call_is_made_answered_held_and_done(world: World) -> None:
    """The called party hears the agent that was asked for, in the session that the call names."""
    world.carrier.script = lambda number: "completed"
    world.party = curious
    call = await world.call(PERSON, metadata={"order": "42"})
    found = await world.over(call)
    assert found["state"] == "done", found
    assert world.heard[-1] == "who is there"
    (attempt,) = found["attempts"]
    assert attempt["outcome"] == "completed"
    assert attempt["carrier_call_id"] == world.carrier.calls[-1].sid
    session = await world.ask("GET", f"/v1/sessions/{attempt['session']}")
    assert session["metadata"]["order"] == "42"
    assert session["metadata"]["call_id"] == attempt["carrier_call_id"]
    assert set(world.carrier.calls[-1].answers) <= {200, 204}


async def test_an_engaged_number_is_called_again(world: World) -> None:
    """As often as the call says."""
    world.party = curious
    ends = iter(["busy", "completed"])
    world.carrier.script = lambda number: next(ends) if number == BUSY else "completed"
    found = await world.over(await world.call(BUSY, retries={"busy": {"count": 1, "wait": 1}}))
    assert [one["outcome"] for one in found["attempts"]] == ["busy", "completed"]
    assert found["state"] == "done"


async def test_a_number_that_nobody_answers_is_given_up(world: World) -> None:
    """After the attempts that the call has."""
    world.carrier.script = lambda number: "no-answer"
    found = await world.over(await world.call(NOBODY, retries={"no_answer": {"count": 0, "wait": 1}}))
    assert (found["state"], found["reason"]) == ("failed", "no_answer")


async def test_a_machine_is_hung_up_on(world: World) -> None:
    """And called again if the call says so."""
    world.party = curious
    world.carrier.script = lambda number: "machine_start"
    found = await world.over(await world.call(MACHINE, on_machine="hang_up"))
    assert [(one["outcome"], one["machine"]) for one in found["attempts"]] == [("machine", True)]
    assert world.carrier.calls[-1]["MachineDetection"] == "Enable"


async def test_a_machine_is_left_a_message_after_its_greeting(world: World) -> None:
    """In the agent's voice, whatever it was saying; then the call ends."""
    world.party = curious
    world.carrier.script = lambda number: "machine_end_beep"
    message = "hello please call us back"
    found = await world.over(await world.call(MACHINE, on_machine="leave_message", message=message))
    (attempt,) = found["attempts"]
    assert (found["state"], attempt["outcome"], attempt["machine"]) == ("done", "completed", True)
    assert world.heard[-1].endswith("please call us back")  # where the agent was cut off, tones run together
    assert await world.end_of(attempt["session"]) == "machine"


async def test_webhooks_that_come_twice_at_once_get_one_session(world: World) -> None:
    """And one that comes again while the call lasts gets none."""
    again: list[int] = []

    async def asked_twice(call: TwilioCall) -> None:
        made = world.carrier.calls[-1]
        tells = (world.carrier.tell(made, made["Url"], CallStatus="in-progress") for _ in range(3))
        await asyncio.gather(*tells)
        again.extend(made.answers[-3:])
        await call.hang_up()

    world.party, world.carrier.script = asked_twice, lambda number: "completed"
    found = await world.over(await world.call(PERSON))
    assert found["state"] == "done"
    assert again == [403, 403, 403]
    sessions = (await world.ask("GET", "/v1/sessions"))["sessions"]
    assert sum(one["metadata"].get("call") == found["id"] for one in sessions) == 1


async def test_a_callback_that_is_forged_or_of_another_call_is_refused(world: World) -> None:
    """403, and nothing has happened; the same word twice is fine, and late as well."""
    world.carrier.script = lambda number: "busy"
    call = await world.call(BUSY, retries={"busy": {"count": 0, "wait": 1}})
    await world.over(call)
    sid = world.carrier.calls[-1].sid
    url = f"{world.site.url}/v1/telephony/main/calls/{call}/status?attempt=1"
    told = {"CallSid": sid, "CallStatus": "completed"}

    async def tell(form: dict[str, str], url: str, token: str = twilio_double.TOKEN) -> int:
        signed = url + "".join(name + form[name] for name in sorted(form))
        headers = {
            "X-Twilio-Signature": b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        async with world.http.post(url, data=urlencode(form), headers=headers) as response:
            return response.status

    assert await tell(told, url) == await tell(told, url) == 204
    assert await tell(told, url, token="f" * 32) == 403
    assert await tell({**told, "CallSid": "CA" + "f" * 32}, url) == 403
    assert await tell(told, url.replace("/status", "/answered")) == 403
    assert await tell(told, url.replace(call, "0" * 32)) == 404
    assert await tell(told, url.replace("attempt=1", "attempt=x")) == 415
    assert (await world.over(call))["reason"] == "busy"
