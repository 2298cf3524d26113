"""Calls by sipp, another maker's SIP, to the running stack: what sipp says of them, what was heard, what we kept."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sipp
import sipp_scenarios as scenarios
from pcap import RtpScript
from sip_site import ASKED, MOCK, NUMBER, SECRET, STRANGER, USER, SipSite, free_port, pressed, said, sip_site
from steps import pause
from wire import Stream, Wire, listening

from providers.mock.tones import speak, spoken

pytestmark = [
    pytest.mark.peers,
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
RATE, LETTER_S = 8000, 0.05
LENIENT = ("-default_behaviors", "all,-abortunexp")
"""Pass over what is repeated once too often, as where time is short or messages are lost; wait for the right one."""
PLAIN = ("-nr", *LENIENT)
"""Do what the scenario says, and repeat nothing by itself."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SipSite]:
    """Give a deployment that takes calls by SIP."""
    sipp.program()
    folder = tmp_path_factory.mktemp("sip")
    config = {**MOCK, "max_concurrent_sessions": 60}
    async with sip_site(folder, config, agents="telephone_agents", media_timeout_s=60, ready_s=20) as running:
        yield running


def says(text: str, script: RtpScript | None = None) -> RtpScript:
    """Have a caller speak, with silence around it."""
    return (script or RtpScript()).silence(0.5).say(speak(text, RATE, LETTER_S)).silence(1.5 + len(text) * LETTER_S)


async def call(
    site: SipSite, folder: Path, document: str, name: str, *arguments: str, hears: Sequence[str] = (), **more: Any
) -> tuple[sipp.Report, Stream]:
    """Run a scenario; return what sipp says, and what came to its port for media.

    It goes on from its steps ``HEARD`` once the caller has heard each of these, however long the agent took.
    """
    port, own, heard = free_port(), free_port(), ""
    options = {"folder": folder, "target": site.target, "name": name, "media_port": port, **more}
    await site.ready()
    async with listening() as wire, asyncio.TaskGroup() as group:
        running = group.create_task(
            sipp.run(document, "-s", NUMBER, "-p", str(own), *arguments, **options), name="sipp"
        )
        for text in hears:
            heard += text
            await hearing(wire, port, heard, running)
            sipp.tell(more.get("host", sipp.HOST), own, f"{name}-1")
    return running.result(), wire.to(port)


async def hearing(wire: Wire, port: int, text: str, running: asyncio.Task[sipp.Report]) -> None:
    """Return once this was said to a port, or nobody listens there any more."""
    while spoken(wire.to(port).pcm, RATE) != text and not running.done():
        await asyncio.wait([running], timeout=0.1)


def listens(s: float) -> str:
    """Return the step of a caller who listens for so long: where nothing is to be heard, or the test cannot tell it."""
    return pause(round(s * 1000))


def held(report: sipp.Report, calls: int = 1) -> None:
    """Fail unless every call went as its scenario has it."""
    assert (report.code, report.succeeded, report.failed) == (0, calls, 0), report.errors


async def test_words_go_both_ways(site: SipSite, tmp_path: Path) -> None:
    """What the caller says is understood, what the agent says is heard, packets come every 20 ms, and all is kept."""
    says("good morning").write(tmp_path / scenarios.SPEECH)
    report, heard = await call(site, tmp_path, scenarios.conversation(), "words", hears=["good morning"])
    held(report)
    assert spoken(heard.pcm, RATE) == "good morning"
    assert 0.019 < heard.mean_gap_s < 0.021
    events = await site.events("words-1")
    assert (said(events, "user"), said(events, "agent")) == (["good morning"], ["good morning"])
    session = await site.session("words-1")
    assert (session["reason"], session["user_id"]) == ("hangup", "+12025550111")
    assert (session["metadata"]["carrier"], session["metadata"]["phone_number"]) == ("sip", NUMBER)
    assert session["metadata"]["said"]["caller"] == "+12025550111"


async def test_a_call_is_held_by_tcp(site: SipSite, tmp_path: Path) -> None:
    """Signalling by TCP, media as ever."""
    lasts = says("by tcp").write(tmp_path / scenarios.SPEECH)
    report, heard = await call(site, tmp_path, scenarios.conversation(listens(lasts + 3)), "tcp", "-t", "t1")
    held(report)
    assert spoken(heard.pcm, RATE) == "by tcp"


async def test_the_far_side_is_told_that_we_hang_up(site: SipSite, tmp_path: Path) -> None:
    """The session is ended over HTTP: the telephone gets BYE."""
    says("hello").write(tmp_path / scenarios.SPEECH)
    calling = asyncio.create_task(call(site, tmp_path, scenarios.hung_up_on(), "ended"), name="sipp")
    await site.active("ended-1")
    await site.end("ended-1")
    report, _ = await calling
    held(report)
    assert (await site.session("ended-1"))["reason"] == "closed"


async def test_keys_are_heard_in_the_media(site: SipSite, tmp_path: Path) -> None:
    """RFC 4733: every key once, twice where it was pressed twice."""
    lasts = RtpScript().silence(0.5).press("1559#*0D").silence(0.5).write(tmp_path / scenarios.SPEECH)
    report, _ = await call(site, tmp_path, scenarios.conversation(listens(lasts)), "media-keys")
    held(report)
    assert pressed(await site.events("media-keys-1")) == "1559#*0D"


async def test_keys_are_heard_in_signalling(site: SipSite, tmp_path: Path) -> None:
    """INFO with ``dtmf-relay``, and with plain ``dtmf``."""
    report, _ = await call(site, tmp_path, scenarios.keys(500), "keys")
    held(report)
    assert pressed(await site.events("keys-1")) == "7#"


async def test_a_call_is_held_and_goes_on(site: SipSite, tmp_path: Path) -> None:
    """While it is on hold nothing is sent to the caller; after that the conversation goes on where it was."""
    first = says("one two")
    first.write(tmp_path / scenarios.SPEECH)
    says("three four", first).write(tmp_path / scenarios.MORE)
    report, heard = await call(site, tmp_path, scenarios.hold(2500), "hold", hears=["one two", "three four"])
    held(report)
    assert spoken(heard.pcm, RATE) == "one twothree four"
    assert max(heard.gaps_s) > 2
    assert said(await site.events("hold-1"), "user") == ["one two", "three four"]


async def test_who_hangs_up_while_it_rings_leaves_nothing(site: SipSite, tmp_path: Path) -> None:
    """200 to the CANCEL, 487 to the INVITE; the session that was on its way does not live."""
    site.running.signal("worker-0", signal.SIGSTOP)
    try:
        report, heard = await call(site, tmp_path, scenarios.cancelled(), "cancelled")
    finally:
        site.running.signal("worker-0", signal.SIGCONT)
    held(report)
    assert not heard.packets
    await site.idle(20)


async def test_an_answer_is_repeated_until_it_is_confirmed(site: SipSite, tmp_path: Path) -> None:
    """The ACK is lost three times; the call is good after that."""
    says("late").write(tmp_path / scenarios.SPEECH)
    report, heard = await call(site, tmp_path, scenarios.lost_ack(), "lost-ack", *PLAIN, hears=["late"])
    held(report)
    assert spoken(heard.pcm, RATE) == "late"


async def test_what_is_sent_twice_is_done_once(site: SipSite, tmp_path: Path) -> None:
    """INVITE, before and after its answer, and BYE: the same answers again, and one session."""
    report, _ = await call(site, tmp_path, scenarios.repeated(), "repeated", *PLAIN)
    held(report)
    assert (await site.session("repeated-1"))["reason"] == "hangup"  # which fails if there are two


async def test_the_far_side_may_leave_the_offer_to_us(site: SipSite, tmp_path: Path) -> None:
    """An INVITE without SDP; the answer comes in the ACK."""
    says("who offers").write(tmp_path / scenarios.SPEECH)
    report, heard = await call(site, tmp_path, scenarios.late_offer(), "late-offer", hears=["who offers"])
    held(report)
    assert spoken(heard.pcm, RATE) == "who offers"


async def test_a_call_is_kept_alive_and_a_bad_offer_changes_nothing(site: SipSite, tmp_path: Path) -> None:
    """OPTIONS and UPDATE within the call; media that we refuse leave those that were agreed."""
    says("still here").write(tmp_path / scenarios.SPEECH)
    report, heard = await call(site, tmp_path, scenarios.kept_alive(), "kept-alive", hears=["still here"])
    held(report)
    assert spoken(heard.pcm, RATE) == "still here"


async def test_callers_at_once_are_each_answered(site: SipSite, tmp_path: Path) -> None:
    """Nobody misses a word."""
    port, own, calls = free_port(), free_port(), 8
    says("hello all").write(tmp_path / scenarios.SPEECH)
    options = {"folder": tmp_path, "target": site.target, "name": "crowd", "media_port": port, "calls": calls}
    arguments = (scenarios.conversation(), "-s", NUMBER, "-p", str(own), "-r", "4")
    await site.ready()
    async with listening() as wire, asyncio.TaskGroup() as group:
        running = group.create_task(sipp.run(*arguments, **options), name="sipp")
        for number in range(calls):
            await hearing(wire, port + 4 * number, "hello all", running)
            sipp.tell(sipp.HOST, own, f"crowd-{number + 1}")
    held(running.result(), calls)
    heard = [spoken(wire.to(port + 4 * number).pcm, RATE) for number in range(calls)]
    assert heard == ["hello all"] * calls


@pytest.mark.parametrize(
    ("name", "document"),
    [("required", scenarios.refused(420, more="Require: nonsense")), ("secured", scenarios.secured())],
)
async def test_what_we_cannot_do_is_refused(site: SipSite, tmp_path: Path, name: str, document: str) -> None:
    """An extension that we do not know, and encrypted media."""
    report, _ = await call(site, tmp_path, document, name)
    held(report)
    assert await site.sessions(f"{name}-1") == []


async def test_a_call_outlives_its_worker(tmp_path: Path) -> None:
    """The process that holds the conversation is killed; the caller goes on with another, and nothing is lost."""
    script = RtpScript().silence(0.5).say(speak("before", RATE, LETTER_S)).silence(10)
    says("after", script).write(tmp_path / scenarios.SPEECH)
    async with sip_site(tmp_path, MOCK, agents="telephone_agents", workers=2, ready_s=20) as site:
        calling = asyncio.create_task(
            call(site, tmp_path, scenarios.conversation(), "outlives", hears=["beforeafter"]), name="sipp"
        )
        await site.next_call(())
        await site.until("outlives-1", role="agent", final=True)
        for worker in ("worker-0", "worker-1"):
            if await site.running.sessions_on(worker):
                await site.running.kill(worker)
                break
        report, heard = await calling
        held(report)
        assert spoken(heard.pcm, RATE) == "beforeafter"
        assert said(await site.events("outlives-1"), "user") == ["before", "after"]


async def test_a_caller_that_is_asked_says_who_it_is(site: SipSite, tmp_path: Path) -> None:
    """By digest, as a telephone does that reads the first challenge only; a wrong secret is asked again."""
    says("it is me").write(tmp_path / scenarios.SPEECH)
    named = ("-auth_uri", f"{NUMBER}@{site.target}")
    report, heard = await call(
        site, tmp_path, scenarios.asked(USER, SECRET), "asked", *named, host=ASKED, hears=["it is me"]
    )
    held(report)
    assert spoken(heard.pcm, RATE) == "it is me"
    report, _ = await call(site, tmp_path, scenarios.asked_again(USER, "guess"), "guess", *named, host=ASKED)
    held(report)
    assert await site.sessions("guess-1") == []


async def test_a_stranger_is_refused(site: SipSite, tmp_path: Path) -> None:
    """Its address is in no trunk's networks."""
    report, _ = await call(site, tmp_path, scenarios.refused(403), "stranger", host=STRANGER)
    held(report)
    assert await site.sessions("stranger-1") == []


async def test_forty_calls_are_held_over_a_line_that_loses_a_third(site: SipSite, tmp_path: Path) -> None:
    """30 % of the signalling is lost each way; no call fails, none is left. Who is told to come back comes back."""
    repeated, left = 0, 40
    for number in range(5):
        report, _ = await call(
            *(site, tmp_path, scenarios.lossy(), f"lossy{number}"),
            *(*LENIENT, "-r", "2", "-lost", "30", "-max_invite_retrans", "12", "-max_non_invite_retrans", "12"),
            calls=left,
            s=150,
        )
        held(report, left)
        repeated += report.repeated
        await site.idle(60)
        calls = [one for one in await site.sessions() if one["metadata"]["call_id"].startswith(f"lossy{number}-")]
        left -= sum(one["reason"] == "hangup" for one in calls)
        if not left:
            break
    assert left == 0
    assert repeated > 20
