"""The wire format: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend.errors import InvalidFormat
from voicebackend.keys import Keys
from voicebackend.streams import MAX_FRAMES, MAX_PAYLOAD, Frame, Kind, decode_bundle, encode_bundle, json_payload

frames = st.builds(
    Frame,
    session=st.binary(min_size=16, max_size=16).map(bytes.hex),
    kind=st.sampled_from(Kind),
    payload=st.binary(max_size=700),
    turn=st.integers(0, 2**32 - 1),
    seq=st.integers(0, 2**32 - 1),
    attempt=st.integers(0, 255),
    attachment=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 2**64 - 1),
    time_ms=st.integers(0, 2**64 - 1),
)
SESSION = "0f" * 16


@given(st.lists(frames, max_size=30))
def test_a_bundle_survives_the_wire(bundle: list[Frame]) -> None:
    """Every field of every frame, in order."""
    assert decode_bundle(encode_bundle(bundle)) == bundle


@given(st.binary(max_size=300))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    """Anything but a bundle is an InvalidFormat; what decodes encodes to the same bytes or had unknown kinds."""
    try:
        decoded = decode_bundle(data)
    except InvalidFormat:
        return
    assert len(encode_bundle(decoded)) <= len(data)


@given(st.lists(frames, min_size=1, max_size=3), st.data())
def test_a_truncated_bundle_is_refused(bundle: list[Frame], data: st.DataObject) -> None:
    """At whatever byte it was cut."""
    encoded = encode_bundle(bundle)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(InvalidFormat):
        decode_bundle(encoded[:cut])


def test_trailing_bytes_and_other_versions_are_refused() -> None:
    """A bundle is all of its entry."""
    encoded = encode_bundle([Frame(session=SESSION, kind=Kind.START)])
    for bad in (encoded + b"x", b"\x02" + encoded[1:]):
        with pytest.raises(InvalidFormat):
            decode_bundle(bad)


def test_a_frame_of_an_unknown_kind_is_left_out() -> None:
    """Senders may be newer than readers."""
    known, other = Frame(session=SESSION, kind=Kind.START), Frame(session=SESSION, kind=Kind.CLOSE)
    encoded = bytearray(encode_bundle([other, known]))
    encoded[3 + 16] = 250
    assert decode_bundle(bytes(encoded)) == [known]


@pytest.mark.parametrize(
    "frame",
    [
        Frame(session=SESSION, kind=Kind.PLAY, payload=bytes(MAX_PAYLOAD + 1)),
        Frame(session=SESSION, kind=Kind.PLAY, turn=2**32),
        Frame(session=SESSION, kind=Kind.PLAY, seq=-1),
        Frame(session="not hex", kind=Kind.PLAY),
    ],
)
def test_a_frame_out_of_bounds_is_refused(frame: Frame) -> None:
    """Before anything is written."""
    with pytest.raises(InvalidFormat):
        encode_bundle([frame])


def test_a_bundle_has_bounds() -> None:
    """In frames and in bytes."""
    with pytest.raises(InvalidFormat):
        encode_bundle([Frame(session=SESSION, kind=Kind.START)] * (MAX_FRAMES + 1))
    with pytest.raises(InvalidFormat):
        encode_bundle([Frame(session=SESSION, kind=Kind.PLAY, payload=bytes(MAX_PAYLOAD))] * 17)


def test_control_payloads_are_json_objects() -> None:
    """Anything else is refused where it is read."""
    assert Frame(session=SESSION, kind=Kind.CLOSE, payload=json_payload({"reason": "x"})).json() == {"reason": "x"}
    for payload in (b"", b"[]", b"\xff"):
        with pytest.raises(InvalidFormat):
            Frame(session=SESSION, kind=Kind.CLOSE, payload=payload).json()


def test_every_key_has_its_name() -> None:
    """One method a key; all begin with the prefix, and a lane's keys share a hash tag."""
    keys = Keys("p")
    assert {
        keys.lane(3): "p:{lane:3}:in", keys.lane_epoch(3): "p:{lane:3}:epoch", keys.inbox("g"): "p:inbox:g",
        keys.lease(3): "p:lease:3", keys.last_epoch(): "p:epochs", keys.lane_sessions(3): "p:lane:3:sessions",
        keys.worker("w"): "p:worker:w", keys.workers(): "p:workers", keys.config(): "p:config",
        keys.session("s"): "p:session:s", keys.session_log("s"): "p:session:s:log",
        keys.turn("s", 2): "p:session:s:turn:2", keys.sessions("t"): "p:tenant:t:sessions",
        keys.live_sessions(): "p:live", keys.used_token("j"): "p:used:j", keys.token_secret(): "p:token-secret",
        keys.resume("s"): "p:session:s:resume", keys.leader("beat"): "p:leader:beat",
        keys.dead_letters(): "p:dead-letters",
    }.items() <= {(name, name) for name in _all(keys)}  # fmt: skip


def _all(keys: Keys) -> set[str]:
    """Call every method that names a key."""
    examples = {
        "lane": 3,
        "owner": "g",
        "worker": "w",
        "session": "s",
        "turn": 2,
        "trunk": "main",
        "call_id": "CA1",
        "attempt": 1,
        "idempotency": "i",
        "tenant": "t",
        "token_id": "j",
        "task_id": "k",
        "provider": "v",
        "role": "beat",
        "id_": "i",
        "event": "e",
        "endpoint": "e",
        "ticket": "x",
        "signature": "s1",
        "subject": "h",
        "kind": "route",
        "name": "n",
        "route": "r",
        "day": "2026-11-23",
        "version": "1-a",
        "deed": "d",
        "key_id": "k1",
        "address": "192.0.2.1",
        "data_class": "audio",
        "memory_key": "t:u",
    }
    found: set[str] = set()
    for name, method in inspect.getmembers(keys, inspect.ismethod):
        if not name.startswith("_") and name not in {"permanent", "lasting"}:
            made = method(*(examples[argument] for argument in inspect.signature(method).parameters))
            found |= {made} if isinstance(made, str) else set(made)
    return found
