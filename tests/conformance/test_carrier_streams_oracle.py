"""Pipecat's serializers, which speak with the same carriers, judge the recorded messages and those that we send."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import numpy as np
import pipecat_peer
import pytest
from carrier_shapes import CARRIERS, Shapes, shapes
from process import run

from control.http.routes.streams import DIALECTS
from control.telephony.streams.dialect import Dialect
from control.telephony.streams.stream_events import Audio, Opened, Pressed
from providers.mock.tones import speak
from voicebackend.audio import to_samples
from voicebackend.codecs import Encoding, open_codec

VALUES = {"sequence": 2, "chunk": 1, "ms": 20, "token": "t1", "digit": "5"}
MOST_APART = 0.04
"""Of full scale, between two coders of mu-law: half a step of its coarsest."""


def opened(carrier: str, shape: Shapes) -> tuple[Dialect, Opened]:
    """Return our dialect after the carrier's first messages, and what it understood."""
    dialect = DIALECTS[carrier]()
    events = [dialect.read(message) for message in shape.made("begin", **VALUES)]
    [event] = [event for event in events if event is not None]
    assert isinstance(event, Opened)
    return dialect, event


def case_of(shape: Shapes) -> dict[str, Any]:
    """Return what a carrier sends, and speech for it."""
    rate = shape.form["sample_rate"]
    pcm = speak("abc", rate, 0.05)
    audio = b64encode(b"".join(open_codec(shape.encoding, rate).encode(pcm))).decode()
    media = shape.made("media", audio=audio, **VALUES)
    return {
        "begin": shape.made("begin", **VALUES),
        **({"media": media[0]} if media else {"audio": audio}),
        "key": shape.made("key", **VALUES)[0],
        "sample_rate": rate,
        "pcm": b64encode(pcm).decode(),
    }


@pytest.mark.peers
@pytest.mark.timeout(300)
async def test_pipecat_understands_the_same_and_says_the_same() -> None:
    """The stream and its call, audio, keys; and what plays audio, or clears it, is what we send."""
    cases = {carrier: case_of(shapes(carrier)) for carrier in CARRIERS}
    told = json.loads(await run(await pipecat_peer.python(), "carrier_streams_oracle.py", json.dumps(cases), s=120))
    assert told.keys() == DIALECTS.keys()
    for carrier, theirs in told.items():
        shape, case = shapes(carrier), cases[carrier]
        dialect, event = opened(carrier, shape)
        assert theirs["carrier"] == carrier
        if carrier != "vonage":  # of which Pipecat reads no start
            assert (theirs["stream"], theirs["call"]) == (event.stream, event.call)

        heard = dialect.read(case.get("media") or b64decode(case["audio"]))
        assert isinstance(heard, Audio)
        codec = open_codec(event.encoding, event.sample_rate)
        assert alike(b64decode(theirs["heard"]), codec.decode(heard.payload))
        assert dialect.read(case["key"]) == Pressed(theirs["pressed"])

        ours = dialect.audio(b"".join(codec.encode(b64decode(case["pcm"]))))
        assert json.loads(theirs["clear"]) == json.loads(dialect.clear())
        assert same_playing(carrier, shape, theirs["play"], ours)


def same_playing(carrier: str, shape: Shapes, theirs: str, ours: str | bytes) -> bool:
    """Tell whether both have the same audio played, by the same message."""
    if isinstance(ours, bytes):
        return b64decode(theirs) == ours
    one, other = json.loads(theirs), json.loads(ours)
    if carrier == "plivo":
        del one["streamId"]  # which it sends along; Plivo's own description has none
    codec = open_codec(shape.encoding, shape.form["sample_rate"])
    played = [codec.decode(b64decode(message["media"].pop("payload"))) for message in (one, other)]
    return one == other and alike(*played)


def alike(one: bytes, other: bytes) -> bool:
    """Tell whether two pieces of PCM sound the same: as long, and nowhere further apart than two coders may be."""
    apart = np.abs(to_samples(one).astype(np.int32) - to_samples(other).astype(np.int32))
    return len(one) == len(other) and int(apart.max()) <= MOST_APART * 32768


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_we_send_is_what_the_carrier_takes(carrier: str) -> None:
    """Every key of it, and no other."""
    shape = shapes(carrier)
    dialect, event = opened(carrier, shape)
    assert event.parameters["token"] == "t1"
    assert (event.encoding, event.sample_rate) == (shape.encoding, shape.form["sample_rate"])
    mark, played = dialect.mark("m1"), dialect.audio(b"\xff" * 640)
    assert shape.read(mark) == ("mark", {"mark": "m1"})
    assert shape.read(dialect.clear()) == ("clear", {})
    if isinstance(played, str):
        assert shape.read(played) == ("play", {"audio": b64encode(b"\xff" * 640).decode()})
    else:
        assert shape.encoding is Encoding.PCM16
