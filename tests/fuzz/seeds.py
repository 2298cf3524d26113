"""Writes the corpus: real messages, of our own encoders, of other makers' dialects and of the project's pages.

Run it when a format changes: ``python tests/fuzz/seeds.py``. Finds (``find-*``) stay as they are.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).with_name("corpus")
sys.path += [str(ROOT / "tests" / folder) for folder in ("fuzz", "helpers")]

from carrier_shapes import CARRIERS, shapes  # noqa: E402
from carrier_webhooks import webhook  # noqa: E402
from sip_exchange import OFFER, message  # noqa: E402
from sip_torture import bad_messages  # noqa: E402
from vendor_seeds import TONE, Seed, vendors, wav  # noqa: E402
from wire_targets import SECRET, SESSION  # noqa: E402

from control.access.tokens import Audience, Claims, TokenSigner  # noqa: E402
from control.telephony.rtp.packet import RtpPacket  # noqa: E402
from control.telephony.sip import sdp  # noqa: E402
from voicebackend import events  # noqa: E402
from voicebackend.codecs import Encoding, open_codec  # noqa: E402
from voicebackend.config import PipelineType  # noqa: E402
from voicebackend.record import SessionRecord  # noqa: E402
from voicebackend.remote import calls  # noqa: E402
from voicebackend.sealing import Seal  # noqa: E402
from voicebackend.session import SessionState, Transport  # noqa: E402
from voicebackend.streams import Frame, Kind, encode_bundle, json_payload  # noqa: E402

CUT = b"\n--\n"


def wire() -> Iterator[Seed]:
    """What processes and callers say."""
    frames = [
        Frame(
            session=SESSION,
            kind=Kind.AUDIO_IN,
            payload=TONE[:64],
            seq=7,
            attachment=1,
            epoch=5,
            time_ms=1_790_000_000_000,
        ),
        Frame(session=SESSION, kind=Kind.ATTACH, payload=json_payload({"inbox": "g1", "sample_rate": 16000})),
        Frame(session=SESSION, kind=Kind.EVENT, payload=json_payload({"type": "state", "state": "listening"}), turn=3),
    ]
    yield "bundle", "audio", encode_bundle(frames[:1])
    yield "bundle", "three", encode_bundle(frames)
    yield "entry-id", "usual", b"1790000000000-0"
    said = {
        "auth": events.Auth(token="a.b.c"),
        "start": events.Start(sample_rate=16_000, encoding=Encoding.OPUS),
        "played": events.Played(turn=3, ms=120.5, stopped=True),
        "dtmf": events.Dtmf(digit="#"),
        "hold": events.Hold(on=True),
        "stop": events.Stop(),
    }
    for name, one in said.items():
        yield "client-message", name, one.to_json().encode()
    for one in (
        events.Ready(session=SESSION, sample_rate=8000, resume_token="r"),
        events.Transcript(role="user", text="Hello.", final=True, turn=1),
        events.Swapped(swapped=False, provider="mock", lost=("history",)),
    ):
        yield "server-message", type(one).__name__.lower(), one.to_json().encode()


def processes() -> Iterator[Seed]:
    """What processes write for one another, and whom they trust."""
    yield "remote-call", "values", calls.encode({"method": "process", "target": "o1"}, [b"\0\1", "text", {"a": 1}])
    yield "remote-reference", "processor", str(calls.Reference(owner="g1", object_id="o1", name="n", order=2)).encode()
    yield "session-record", "ready", _record()
    yield "log-entry", "transcript", b'{"type":"transcript","role":"user","text":"Hello.","final":true,"turn":1}'
    yield "sealed-keys", "five", Seal(SECRET, SESSION).seal("5").encode()
    claims = Claims(audience=Audience.MEDIA, session=SESSION, tenant="default", token_id="t1", expires_at=4e9)
    yield "token", "signed", TokenSigner(SECRET).sign(claims, now=4e9 - 60).encode()
    told = {"aud": "media", "sub": SESSION, "tenant": "d", "jti": "1", "iat": 1, "exp": 4 * 10**9}
    yield "token", "claims", json.dumps(told).encode()
    yield "record-link", "claims", b'{"aud":"record","jti":"1","sub":"r1","tenant":"d","exp":4000000000}'
    who = {"identity": "caller", "disconnectReason": "CLIENT_INITIATED"}
    left = {"id": "EV_1", "event": "participant_left", "room": {"name": "room-1"}, "participant": who}
    yield "livekit-webhook", "left", json.dumps(left).encode()


def _record() -> bytes:
    made = SessionRecord(
        id=SESSION,
        tenant="default",
        user_id="u1",
        provider="mock",
        transport=Transport.WEBSOCKET,
        pipeline_type=PipelineType.STT_TTS,
        state=SessionState.READY,
        created_at=1_790_000_000.5,
    )
    return "\n".join(f"{name}={value}" for name, value in made.to_fields().items()).encode()


def telephony() -> Iterator[Seed]:
    """What exchanges, carriers and telephones send."""
    invite = message("INVITE", branch="1", cseq=1, body=OFFER)
    bye = message("BYE", branch="3", cseq=2, to_tag="x")
    info = message("INFO", branch="4", cseq=2, to_tag="x", body=b"Signal=1", kind="application/dtmf-relay")
    again = message("INVITE", branch="7", cseq=3, to_tag="x", body=OFFER, call_id="live")
    yield "sip-message", "invite", invite
    yield (
        "sip-message",
        "answer",
        _lines(
            "SIP/2.0 200 OK",
            "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
            "From: <sip:a@h>;tag=1",
            "To: <sip:b@h>;tag=2",
            "Call-ID: c",
            "CSeq: 1 BYE",
            "",
        ),
    )
    for name, bad in list(bad_messages("192.0.2.10"))[::9]:
        yield "sip-message", re.sub(r"\W+", "-", name)[:40], bad
    yield "sip-exchange", "invite", invite
    yield "sip-exchange", "cancelled", CUT.join([invite, message("CANCEL", branch="1", cseq=1)])
    yield (
        "sip-exchange",
        "in-a-call",
        CUT.join([info.replace(b"call-1", b"live"), again, bye.replace(b"call-1", b"live")]),
    )
    yield "sip-stream", "two", message("OPTIONS", branch="5", cseq=1) + b"\r\n\r\n" + invite
    yield "sdp-offer", "ours", sdp.offer(("192.0.2.7", 4000), session=1, version=1)
    yield (
        "sdp-offer",
        "others",
        _lines(
            "v=0",
            "o=- 1 1 IN IP4 192.0.2.7",
            "s=-",
            "t=0 0",
            "m=video 5000 RTP/AVP 96",
            "m=audio 4000 RTP/AVP 9 8 0 96",
            "c=IN IP4 192.0.2.7",
            "a=rtpmap:96 telephone-event/8000",
            "a=sendonly",
        ),
    )
    packets = [RtpPacket(0, number, number * 160, 7, TONE[:160]).to_bytes() for number in range(6)]
    packets.append(RtpPacket(101, 6, 960, 7, b"\x05\x8a\x03\x20", marker=True).to_bytes())
    yield "rtp-packets", "call", b"".join(bytes([len(one)]) + one for one in packets)
    yield "telephone-events", "five", b"\x04\x05\x0a\x01\x40\x04\x05\x8a\x03\x20"


def carriers() -> Iterator[Seed]:
    """What carriers send over websockets and webhooks."""
    filled = {
        "sequence": 1,
        "token": "t1",
        "chunk": 2,
        "ms": 40,
        "audio": b64encode(b"\xff" * 160).decode(),
        "digit": "5",
        "mark": "m1",
    }
    for carrier in CARRIERS:
        kinds = ("begin", "media", "key", "played", "end")
        said = [one.encode() for kind in kinds for one in shapes(carrier).made(kind, **filled)]
        yield f"{carrier}-stream", "call", CUT.join(said)
    for carrier in ("twilio", "telnyx", "plivo", "vonage"):
        one = webhook(carrier, "https://voice.example/x?", "1", at=1_700_000_000)
        lines = ["a=1", *(f"{name}: {value}" for name, value in one.headers.items())]
        yield f"{carrier}-webhook", "call", "\n".join(lines).encode() + b"\n\n" + one.body
    form = {
        "CallSid": "CA" + "0123456789abcdef" * 2,
        "CallStatus": "completed",
        "Timestamp": "Mon, 23 Nov 2026 12:00:00 +0000",
    }
    yield "twilio-status", "completed", urlencode(form).encode()
    yield "twilio-status", "machine", urlencode({"CallSid": form["CallSid"], "AnsweredBy": "machine_end_beep"}).encode()


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def sound() -> Iterator[Seed]:
    """What callers send in each encoding, and files."""
    yield "wav-file", "mono", wav(TONE, 16_000)
    yield "wav-file", "stereo", wav(TONE + b"\0" * 4, 44_100, channels=2)
    for encoding in Encoding:
        codec = open_codec(encoding, 8_000)
        messages = [one for _ in range(3) for one in codec.encode(TONE[:320])]
        yield f"{encoding}-audio", "call", CUT.join(messages)


def written() -> Iterator[Seed]:
    """What operators write: the examples of the project's pages."""
    yield (
        "configuration",
        "usual",
        b"provider: mock\nstt_provider: mock\ntimeout: 20\nprovider_config: {decode: true}\n",
    )
    yield (
        "environment",
        "usual",
        b"PROVIDER=mock\nPORT=8080\nTENANT_RATE=10/s:40\nREDIS_URL=redis://h:6379/0\n"
        b"API_KEYS=acme:0123456789abcdef\nPROVIDER_CONFIG={decode: true}",
    )
    yield (
        "environment",
        "sentinel",
        b"STATE_URL=redis+sentinel://u:p@a:26379,b:26379/main/0\nAUDIO_URL=redis+cluster://a:1,b:2\nMAX_QUEUED=5",
    )
    for number, text in enumerate(_yaml("telephony")):
        target = "routing-table" if text.startswith("version") else "telephony"
        yield target, f"page-{number}", text.encode()
    for number, text in enumerate(_yaml("retention")):
        said = text.replace("change-me", "keep-this").encode()  # the guide's key is refused
        yield "prices" if text.startswith("currency") else "retention", f"page-{number}", said
    yield "scenario", "cough", (ROOT / "scenarios/barge-in/cough.yaml").read_bytes()
    yield "record-path", "transcript", f"acme/transcript/2026/11/23/{SESSION}/transcript.json".encode()


def _yaml(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)


def main() -> None:
    """Write them all."""
    for family in (wire, processes, vendors, telephony, carriers, sound, written):
        for target, name, data in family():
            folder = CORPUS / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
