"""A person who is erased is not called any more, and nothing tells that they ever were; what protects them stays."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from outbound_office import Office
from redis.asyncio import Redis
from residue import everything

from control.records.cabinet import Cabinet
from control.records.erasure import Erasures
from control.records.erasure_requests import ErasureState
from control.records.residue import forget_session
from control.sessions.store import SessionStore
from control.tasks.sweeping import _erase
from control.telephony.known_calls import KnownCalls
from control.telephony.outbound import consent, plan
from control.telephony.outbound.carrier import CallStatus, Outcome
from control.telephony.outbound.erasure import ForgettableCalls
from voicebackend.calls import CallState
from voicebackend.config import PipelineType
from voicebackend.consent import Consent
from voicebackend.errors import SessionNotFound
from voicebackend.record import SessionRecord
from voicebackend.session import Transport
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
PERSON, OTHER = "+12025550123", "+12025550155"
POLICY = {"id": "all", "class": "metadata", "ttl": "P30D"}
CONSENT = Consent.model_validate({"text_version": "3", "method": "paper", "at": "2026-11-01T10:00:00Z"})


class Desk(Office):
    """A trunk's calls, and the erasures of its deployment."""

    def __init__(self, redis: Redis, deployment: Deployment, folder: Path) -> None:
        super().__init__(redis, deployment)
        path, keys = folder / "retention.yaml", deployment.keys
        path.write_text(yaml.safe_dump({"store": "memory:///", "subject_key": "k" * 40, "policies": [POLICY]}))
        self.cabinet = Cabinet.open(path, redis, keys)
        self.erasures = Erasures(redis, keys, SessionStore(redis, keys), self.cabinet)

    async def erased(self, erasure: str) -> Any:
        """Return how far an erasure is, after one more step."""
        await self.erasures.go_on(ForgettableCalls(self.redis, self.keys))
        return await self.erasures.get("default", erasure)

    async def over(self, to: str) -> str:
        """Make a call that is over; return its id."""
        call = await self.plan(to=to)
        await self.book.change(call, lambda found: plan.over(found, CallState.CANCELLED, "cancelled", time.time()))
        return call

    async def is_there(self, call: str) -> bool:
        """Tell whether a call has a record."""
        try:
            await self.book.get(call)
        except SessionNotFound:
            return False
        return True


@pytest.fixture
def desk(redis: Redis, deployment: Deployment, tmp_path: Path) -> Desk:
    """Give a desk at which calls are planned."""
    return Desk(redis, deployment, tmp_path)


async def test_planned_calls_to_a_person_are_not_made_and_finished_ones_forgotten(desk: Desk, redis: Redis) -> None:
    """Of both nothing is left, whatever else they told; others' calls are as before."""
    planned, over = await desk.plan(to=PERSON, metadata={"name": "Ada Canary"}), await desk.over(PERSON)
    others = await desk.plan(to=OTHER), await desk.over(OTHER)
    asked = await desk.erasures.ask("default", PERSON, by="test")
    done = await desk.erased(asked.id)
    assert (done.state, done.calls) == (ErasureState.DONE, 2)
    assert [await desk.is_there(call) for call in (planned, over, *others)] == [False, False, True, True]
    left = await everything(redis)
    assert PERSON.encode() not in left
    assert b"Canary" not in left
    await desk.dialler().dial_due()
    assert [order.to for order in desk.carrier.orders] == [OTHER]


async def test_the_scheduled_task_forgets_calls_as_well(desk: Desk, redis: Redis, deployment: Deployment) -> None:
    """Where nobody asks how far an erasure is."""
    call = await desk.plan(to=PERSON)
    asked = await desk.erasures.ask("default", PERSON, by="test")

    async def cabinet() -> Cabinet:
        return desk.cabinet

    async def refresh() -> None:
        return None

    about: dict[str, Any] = {"store": SessionStore(redis, desk.keys), "parts": SimpleNamespace(find=lambda _: None)}
    about["deployment"] = deployment
    shared = SimpleNamespace(state=redis, keys=desk.keys, cabinet=cabinet, refresh=refresh, **about)
    await _erase(cast("Any", shared))
    assert (await desk.erasures.get("default", asked.id)).state is ErasureState.DONE
    assert not await desk.is_there(call)


async def test_what_protects_the_person_stays(desk: Desk, redis: Redis) -> None:
    """That they are not to be called, and that they had agreed to the call that was made."""
    call = await desk.plan(to=PERSON, consent=CONSENT)
    await desk.listed.put("default", PERSON, "asked us to")
    asked = await desk.erasures.ask("default", PERSON, by="test")
    assert (await desk.erased(asked.id)).state is ErasureState.DONE
    assert not await desk.is_there(call)
    assert await desk.listed.has("default", PERSON)
    assert await consent.find(redis, desk.keys, call, "default") is not None


async def test_a_call_that_is_talked_in_is_ended_and_then_forgotten(desk: Desk) -> None:
    """The erasure is not done before."""
    call = await desk.plan(to=PERSON)
    await desk.dialler().dial_due()
    answered = CallStatus(call=call, attempt=1, outcome=Outcome.ANSWERED, at=time.time())
    await desk.book.change(call, lambda found: plan.heard(found, answered, desk.line.watch, time.time()))
    asked = await desk.erasures.ask("default", PERSON, by="test")
    running = await desk.erased(asked.id)
    assert (running.state, running.live, running.calls) == (ErasureState.DELETING, 1, 0)
    desk.carrier.known = answered
    await desk.dialler().look()
    assert desk.carrier.hung_up == ["CA1"]
    done = await desk.erased(asked.id)
    assert (done.state, done.live, done.calls) == (ErasureState.DONE, 0, 1)
    assert not await desk.is_there(call)
    [carrier] = await desk.erasures.sub_processors.of(asked.id)  # has to be asked: it knows the number, too
    assert (carrier.name, carrier.roles, carrier.calls) == (desk.line.name, ("carrier",), ("CA1",))


async def test_a_hold_keeps_the_record_but_nobody_is_called(desk: Desk) -> None:
    """When it is lifted the record goes."""
    call = await desk.plan(to=PERSON)
    subject = desk.cabinet.subjects.of("default", PERSON)
    hold, _ = await desk.cabinet.holds.place("default", f"subject:{subject}", reason="case 12", by="test")
    asked = await desk.erasures.ask("default", PERSON, by="test")
    kept = await desk.erased(asked.id)
    assert (kept.state, kept.held, kept.calls) == (ErasureState.PARTIAL, 1, 0)
    assert (await desk.book.get(call)).state is CallState.CANCELLED
    await desk.cabinet.holds.lift("default", hold.id)
    assert (await desk.erased(asked.id)).state is ErasureState.DONE
    assert not await desk.is_there(call)


async def test_a_call_that_is_planned_afterwards_is_made(desk: Desk) -> None:
    """The person may have come back; and another tenant's calls are its own."""
    asked = await desk.erasures.ask("default", PERSON, by="test")
    foreign = await desk.erasures.ask("acme", PERSON, by="test")
    call = await desk.plan(to=PERSON)
    assert (await desk.erased(asked.id)).state is ErasureState.DONE
    assert (await desk.erasures.get("acme", foreign.id)).calls == 0
    assert await desk.is_there(call)


async def test_more_calls_than_a_page_has_are_all_forgotten(desk: Desk) -> None:
    """However they lie among others'."""
    for number in range(130):
        await desk.plan(to=PERSON if number % 2 else OTHER)
    asked = await desk.erasures.ask("default", PERSON, by="test")
    assert (await desk.erased(asked.id)).calls == 65
    assert {call.request.to for call in await desk.book.page("default")} == {OTHER}


async def test_what_a_carrier_told_of_a_persons_call_goes_with_its_session(desk: Desk, redis: Redis) -> None:
    """It is known for a day otherwise."""
    known = KnownCalls(redis, desk.keys)
    await known.note("default", "CA7", {"said": {"caller": PERSON}})
    record = SessionRecord(
        id="s" * 32,
        tenant="default",
        user_id=PERSON,
        provider="mock",
        transport=Transport.TELEPHONY,
        pipeline_type=PipelineType.STT_TTS,
        agent="parrot",
        metadata={"call_id": "CA7"},
    )
    await forget_session(redis, desk.keys, record)
    assert await known.find("default", "CA7") == {}
