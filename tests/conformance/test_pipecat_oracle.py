"""Pipecat's own client takes the double for its server; its serializer reads what we make, and we what it makes."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pipecat_peer
import pytest
from listening import answer_to, voice
from pipecat_double import PipecatDouble
from pipecat_messages import wrong_frame, wrong_start
from process import run

from providers.conformance.double import KEY
from providers.mock.tones import spoken
from providers.pipecat.codec import Audio, Interruption, Rtvi, decode, encode
from providers.pipecat.schema import frame_class
from voicebackend.audio import PIPELINE_RATE

OURS = {
    "audio 640 16000 1": encode(Audio(bytes(640), 16_000)),
    "client-ready": encode(Rtvi("client-ready", {"version": "2.2.0", "about": {"library": "us"}}), id_="1"),
    "send-text": encode(Rtvi("send-text", {"content": "text", "options": {"run_immediately": True}}), id_="2"),
    "dtmf": encode(Rtvi("dtmf", {"buttons": ["5", "*", "#"]}), id_="3"),
    "disconnect-bot": encode(Rtvi("disconnect-bot"), id_="4"),
    "InterruptionFrame": encode(Interruption()),
}
"""Every frame that our client sends, by what Pipecat calls it."""


@pytest.mark.parametrize("name", OURS)
def test_our_frames_have_no_flaws(name: str) -> None:
    """By the table that is kept by hand."""
    assert not wrong_frame(OURS[name])


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        encode(Audio(b"", 16_000)),
        encode(Audio(bytes(3), 16_000)),
        encode(Audio(bytes(4), 96_000)),
        encode(Rtvi("send-text", {"content": "text"}), id_="1"),
        encode(Rtvi("disconnect-bot")),
        encode(Rtvi("shout"), id_="1"),
        encode(Rtvi("dtmf", {"buttons": ["A"]}), id_="1"),
        frame_class()(text={"text": "hello"}).SerializeToString(),
    ],
)
def test_the_double_knows_what_is_wrong(raw: bytes) -> None:
    """It would tell if our client sent it."""
    assert wrong_frame(raw)


@pytest.mark.parametrize("body", [None, {}, {"transport": "webrtc", "body": {}}, {"transport": "websocket"}])
def test_the_double_knows_a_wrong_start(body: object) -> None:
    """A runner would start another transport, or none."""
    assert wrong_start(body)


@pytest.mark.peers
@pytest.mark.timeout(900)
async def test_pipecats_own_client_holds_a_call_with_the_double(tmp_path: Path) -> None:
    """Every message passes its models, both ways; its audio reads back."""
    python = await pipecat_peer.python()
    (tmp_path / "ours.json").write_text(json.dumps([base64.b64encode(raw).decode() for raw in OURS.values()]))
    (tmp_path / "caller.pcm").write_bytes(voice("hello", PIPELINE_RATE) + bytes(PIPELINE_RATE))
    async with PipecatDouble() as double:
        told = json.loads(await run(python, "pipecat_oracle.py", f"{double.ws_url}/ws", KEY, str(tmp_path), s=120))
        assert await double.released()
        assert not double.garbled
    assert told["ours"] == list(OURS)
    assert {"bot-ready", "user-input", "bot-output", "bot-llm-text", "bot-stopped-speaking"} <= set(told["kinds"])
    assert told["interruptions"] >= 2
    assert spoken((tmp_path / "heard.pcm").read_bytes(), 24_000) == answer_to("hello") + answer_to("typed")
    pcm = bytes(range(256))
    mono, mixed, news, *rest = [
        decode(base64.b64decode(raw)) for raw in json.loads((tmp_path / "theirs.json").read_text())
    ]
    assert (mono, news) == (Audio(pcm, 24_000), Rtvi("bot-started-speaking", {}))
    assert isinstance(mixed, Audio)
    assert (len(mixed.pcm), mixed.sample_rate) == (128, 8_000)
    assert rest == [None, Interruption(), None, None]
