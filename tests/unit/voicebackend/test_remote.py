"""Calls between processes: what goes in comes out on the other side, with its type."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from voicebackend.agents import HistoryEntry, Turn
from voicebackend.client.local_agent import LocalAgent
from voicebackend.digits import CollectDigits
from voicebackend.errors import AgentError, AuthorizationFailed, InvalidConfig, InvalidFormat, OperationTimeout
from voicebackend.hooks import (
    AudioProcessor,
    AuthHook,
    AuthResult,
    DataRetentionHook,
    RateLimiter,
    Stage,
    TelephonyHook,
    stages_of,
)
from voicebackend.keys import Keys
from voicebackend.remote import Objects, Remote, resolve
from voicebackend.remote.calls import Reference, decode, encode
from voicebackend.streams import MAX_PAYLOAD

KEYS = Keys()
TURN = Turn(
    session_id="a" * 32,
    number=2,
    transcript="yes",
    history=(HistoryEntry(role="user", text="hello", turn=1), HistoryEntry(role="agent", text="hi", turn=1)),
    user_id="u",
    metadata={"plan": "gold"},
)

ROOT = AuthResult(user_id="root", authorized=True, tenant="acme", metadata={"team": "a"})


class Hook:
    """Every hook in one, telling what it was asked."""

    name, order = "louder", 3

    def __init__(self) -> None:
        self.waited: list[str] = []
        self.cancelled = asyncio.Event()

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> AuthResult:
        return AuthResult(user_id=token, authorized=True, tenant="acme", metadata=metadata)

    async def authorize(self, principal: AuthResult, action: str, tenant: str) -> bool:
        if action == "forbidden":
            raise AuthorizationFailed("authorize", "never")
        return (principal, tenant) == (ROOT, "acme")

    async def allow(self, key: str) -> bool:
        raise RuntimeError(f"the secret of {key}")

    async def wait(self, key: str) -> None:
        self.waited.append(key)

    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        return data_class == metadata["keep"]

    async def retention_period(self, data_class: str) -> timedelta:
        return timedelta(hours=1.5)

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        return f"provider-{phone_number}"

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        return message[::-1]

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        return {"id": call_id}

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        return audio * 2

    async def reply(self, turn: Turn) -> AsyncIterator[str]:
        yield f"{turn.transcript}, {len(turn.history)} said before"
        yield str(turn.metadata["plan"])

    async def endless(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


@pytest.fixture
async def objects(redis_url: str) -> AsyncIterator[Objects]:
    """Give the side that has objects."""
    async with Objects(redis_url, KEYS) as objects:
        yield objects


@pytest.fixture
async def remote(redis_url: str) -> AsyncIterator[Remote]:
    """Give the side that calls."""
    async with Remote(redis_url, KEYS, timeout_s=5) as remote:
        yield remote


async def test_every_hook_answers_from_afar_with_its_own_types(objects: Objects, remote: Remote) -> None:
    """A stand-in satisfies the hook's Protocol, and its answers have the types that the hook promises."""
    hook = Hook()
    at = objects.register(hook)
    auth = resolve(at, field="auth_hook", remote=remote)
    limiter = resolve(at, field="rate_limiter", remote=remote)
    retention = resolve(at, field="data_retention_hook", remote=remote)
    telephony = resolve(at, field="telephony_hook", remote=remote)
    assert isinstance(auth, AuthHook)
    assert isinstance(limiter, RateLimiter)
    assert isinstance(retention, DataRetentionHook)
    assert isinstance(telephony, TelephonyHook)
    expected = AuthResult(user_id="t", authorized=True, tenant="acme", metadata={"path": "/"})
    assert await auth.authenticate("t", {"path": "/"}) == expected
    assert await auth.authorize(ROOT, "sessions.get", "acme") is True
    assert await limiter.wait("key") is None
    assert hook.waited == ["key"]
    assert await retention.should_retain("transcript", {"keep": "transcript"}) is True
    assert await retention.retention_period("transcript") == timedelta(hours=1.5)
    assert await telephony.route_call("+49", {}) == "provider-+49"
    assert await telephony.handle_sip(b"\x00\xffSIP", {}) == b"PIS\xff\x00"
    assert await telephony.call_metadata("7") == {"id": "7"}


async def test_a_processor_keeps_its_name_order_and_stages(objects: Objects, remote: Remote) -> None:
    """Name, order and stages of an audio processor travel in the reference; audio travels as it is."""
    hook = Hook()
    reference = objects.register(hook, name=hook.name, order=hook.order, stages=["pre_stt", "pre_s2s"])
    processor = resolve(reference, field="custom_processors", remote=remote)
    assert isinstance(processor, AudioProcessor)
    assert (processor.name, processor.order) == ("louder", 3)
    assert stages_of(processor) == {Stage.PRE_STT, Stage.PRE_S2S}
    assert await processor.process(b"\x01\x02", {}) == b"\x01\x02\x01\x02"


async def test_an_agent_streams_from_any_event_loop(objects: Objects, remote: Remote) -> None:
    """An agent elsewhere yields its text piece by piece, also to a task that runs on a loop of its own."""
    agent = resolve(objects.register(Hook()), field="agent", remote=remote)

    async def collect() -> list[str]:
        return [text async for text in agent(TURN)]

    expected = ["yes, 2 said before", "gold"]
    assert await collect() == expected
    assert await asyncio.to_thread(asyncio.run, collect()) == expected


async def test_an_agent_elsewhere_tells_of_its_tools_and_asks_for_keys(objects: Objects, remote: Remote) -> None:
    """Its notes and requests come to the turn that it answers, and are no text."""

    def function(turn: Turn) -> str:
        with turn.tool("weather", {"city": "Bergen"}) as call:
            call.result = "rain"
        turn.collect_digits(max_digits=4)
        return str(call.result)

    agent = resolve(objects.register(LocalAgent(function, of_transcript=False)), field="agent", remote=remote)
    notes: list[Any] = []
    asked: list[CollectDigits] = []
    assert [text async for text in agent(replace(TURN, notes=notes.append, keypad=asked.append))] == ["rain"]
    assert [(note["name"], note["arguments"], note["result"]) for note in notes] == [
        ("weather", {"city": "Bergen"}, "rain")
    ]
    assert [request.max_digits for request in asked] == [4]


async def test_a_history_too_long_to_travel_loses_its_oldest_part(objects: Objects, remote: Remote) -> None:
    """The agent still answers; it has not forgotten what was said last."""
    agent = resolve(objects.register(Hook()), field="agent", remote=remote)
    long = replace(TURN, history=tuple(HistoryEntry(role="user", text="x" * 1000, turn=i) for i in range(100)))
    first = await anext(agent(long))
    assert first.endswith("said before")
    assert 20 < int(first.split()[1]) < 100


async def test_who_stops_listening_stops_the_other_side(objects: Objects, remote: Remote) -> None:
    """Closing a stream cancels the method that feeds it."""
    hook = Hook()
    stream = remote.stream(Reference.parse(objects.register(hook), field="x"), "endless")
    assert await anext(stream) == 1
    await stream.aclose()
    await asyncio.wait_for(hook.cancelled.wait(), 5)


async def test_errors_keep_their_code_and_foreign_ones_their_secrets(objects: Objects, remote: Remote) -> None:
    """One of our errors arrives as itself; of any other exception only the type's name leaves the process."""
    at = objects.register(Hook())
    with pytest.raises(AuthorizationFailed, match="never"):
        await resolve(at, field="auth_hook", remote=remote).authorize(ROOT, "forbidden", "acme")
    with pytest.raises(AgentError, match="RuntimeError") as caught:
        await resolve(at, field="rate_limiter", remote=remote).allow("k")
    assert "secret" not in str(caught.value)


async def test_unknown_objects_and_private_methods_are_not_called(objects: Objects, remote: Remote) -> None:
    """A forgotten object, an object never registered and an underscore method are refused."""
    reference = objects.register(Hook())
    known = Reference.parse(reference, field="x")
    with pytest.raises(InvalidConfig):
        await remote.call(known, "__class__")
    with pytest.raises(InvalidConfig):
        await remote.call(replace(known, object_id="other"), "allow", "k")
    objects.forget(reference)
    with pytest.raises(InvalidConfig):
        await remote.call(known, "allow", "k")


async def test_an_owner_that_is_gone_is_a_timeout(redis_url: str) -> None:
    """A call to a process that does not answer ends with a timeout and leaves nothing waiting."""
    async with Remote(redis_url, KEYS, timeout_s=0.2) as remote:
        with pytest.raises(OperationTimeout):
            await remote.call(Reference(owner="gone", object_id="x"), "allow", "k")
        assert repr(remote) == "<Remote [0 calls open]>"


async def test_without_a_remote_a_reference_is_an_error_that_names_the_field() -> None:
    """Only the embedded library can call objects elsewhere."""
    with pytest.raises(InvalidConfig, match="auth_hook"):
        resolve("remote:a:b", field="auth_hook", remote=None)


@pytest.mark.parametrize("text", ["remote:", "remote:a", "remote::b", "remote:a:b?order=x", "local:a:b"])
def test_a_garbled_reference_is_refused(text: str) -> None:
    """What is no reference does not become one."""
    with pytest.raises(InvalidConfig):
        Reference.parse(text, field="agent")


def test_objects_and_dotted_names_resolve_to_themselves() -> None:
    """An object stays itself; "module:attr" is loaded; a class becomes an instance."""
    hook = object()
    assert resolve(hook, field="auth_hook", remote=None) is hook
    assert resolve("math:pi", field="auth_hook", remote=None) > 3
    assert isinstance(resolve("threading:Event", field="auth_hook", remote=None), threading.Event)


@pytest.mark.parametrize("value", [None, True, 3, "text", b"\x00raw", timedelta(seconds=2), {"a": [1]}, TURN])
def test_values_survive_the_wire(value: Any) -> None:
    """Each kind of value comes back equal."""
    header, values = decode(encode({"method": "m"}, [value, b"next"]))
    assert header == {"method": "m"}
    assert values == [value, b"next"]


@pytest.mark.parametrize(
    "payload", [b"", b"\x05\x00\x00\x00{}", b"\x02\x00\x00\x00{}", b"\xff\xff\xff\xff", b"\x02\x00\x00\x00[]"]
)
def test_garbage_is_refused(payload: bytes) -> None:
    """A payload that is none raises one of our errors and no other."""
    with pytest.raises(InvalidFormat):
        decode(payload)


@pytest.mark.parametrize("value", [object(), bytes(MAX_PAYLOAD)])
def test_what_cannot_travel_is_refused(value: Any) -> None:
    """An object of unknown type and too many bytes are refused before anything is sent."""
    with pytest.raises(InvalidFormat):
        encode({}, [value])
