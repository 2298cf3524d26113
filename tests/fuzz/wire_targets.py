"""What processes, callers and vendors say to each other: frames in Redis, messages on websockets, tokens."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import jwt
from target import Target, fields

from control.access.links import LinkSigner
from control.access.tokens import Audience, TokenSigner
from control.webhooks.livekit import Credentials, verified
from providers.elevenlabs import codec as elevenlabs
from providers.elevenlabs import speech_codec
from providers.pipecat import codec as pipecat
from providers.vapi import codec as vapi
from providers.vocode import codec as vocode
from voicebackend.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    InvalidConfig,
    InvalidFormat,
    VoiceBackendError,
)
from voicebackend.events import parse_client, parse_server
from voicebackend.record import LOG_FIELD, SessionRecord, decode_log
from voicebackend.remote import calls
from voicebackend.sealing import Seal
from voicebackend.streams import MAX_BUNDLE, EntryId, decode_bundle, encode_bundle

SECRET = "fuzz-secret-of-at-least-32-bytes-long"
SESSION = "ab" * 16
_HEADER = (b"\x01", b"\x00", b"\xff" * 4, b"\x00\x04", b"\x01\x00\x00\x00")


def bundle(data: bytes) -> None:
    """What is taken is written the same again, but for frames of a newer sender."""
    frames = decode_bundle(data)
    assert len(data) <= MAX_BUNDLE
    again = encode_bundle(frames)
    assert decode_bundle(again) == frames
    for frame in frames:
        _refused_or(frame.json)


def entry_id(data: bytes) -> None:
    """An id is two numbers."""
    found = EntryId.parse(data)
    assert EntryId.parse(str(found)) == found


def client_message(data: bytes) -> None:
    """What a caller's websocket says in text; aiohttp has refused what is not UTF-8."""
    message = parse_client(data.decode("utf-8", "replace"))
    assert parse_client(message.to_json()) == message


def server_message(data: bytes) -> None:
    """The same from our side, which applications read."""
    message = parse_server(data.decode("utf-8", "replace"))
    assert parse_server(message.to_json()) == message


def remote_call(data: bytes) -> None:
    """A call to an object in another process."""
    header, values = calls.decode(data)
    assert isinstance(header, dict)
    assert isinstance(values, list)


def reference(data: bytes) -> None:
    """The name of such an object."""
    found = calls.Reference.parse(data.decode("utf-8", "replace"), field="agent")
    assert found.owner


def record(data: bytes) -> None:
    """A session as it lies in Redis: lines of name and value."""
    text = fields(data.decode("latin-1").split("\n"), "=")
    raw = {name.encode("latin-1"): value.encode("latin-1") for name, value in text.items()}
    SessionRecord.from_fields(raw).view()


def log_entry(data: bytes) -> None:
    """A line of a session's log."""
    assert isinstance(decode_log({LOG_FIELD: data})["type"], str)


def sealed(data: bytes) -> None:
    """A key that somebody pressed."""
    Seal(SECRET, SESSION).open(data.decode("utf-8", "replace"))


def token(data: bytes) -> None:
    """A token that anybody may have made, and one with any claims that somebody signed with our secret."""
    signer = TokenSigner(SECRET)
    for one in (data.decode("utf-8", "replace"), _signed(data)):
        for audience in Audience:
            _refused_or(lambda one=one, audience=audience: signer.check(one, audience, SESSION), AuthenticationFailed)


def link(data: bytes) -> None:
    """A link to a record."""
    for one in (data.decode("utf-8", "replace"), _signed(data)):
        _refused_or(lambda one=one: LinkSigner(SECRET).check(one, "r1"), AuthorizationFailed)


def livekit_webhook(data: bytes) -> None:
    """LiveKit's, as anybody sends it, and as its server signs it."""
    trusted = Credentials(key="k", secret=SECRET)
    _refused_or(lambda: verified(data, data.decode("latin-1"), trusted), AuthenticationFailed)
    digest = b64encode(hashlib.sha256(data).digest()).decode()
    good = jwt.encode({"iss": "k", "exp": 2**33, "sha256": digest}, SECRET, algorithm="HS256")
    verified(data, f"Bearer {good}", trusted)


def pipecat_frame(data: bytes) -> None:
    """Protobuf of a Pipecat server."""
    found = pipecat.decode(data)
    if isinstance(found, pipecat.Audio):
        assert len(found.pcm) % 2 == 0
        assert 8_000 <= found.sample_rate <= 48_000


def of_object(read: Callable[[dict[str, Any]], object]) -> Callable[[bytes], None]:
    """Return a target of a vendor's JSON objects."""

    def take(data: bytes) -> None:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict):
            read(found)

    return take


def speech_lines(data: bytes) -> None:
    """ElevenLabs' speech with times: a line of JSON for each piece."""
    speech_codec.read(data)


def _signed(data: bytes) -> str:
    """Return a token of ours that says what the data say, as far as they are JSON."""
    try:
        claims = json.loads(data)
        return jwt.encode(claims if isinstance(claims, dict) else {}, SECRET, algorithm="HS256")
    except (ValueError, RecursionError, TypeError):
        return ""


def _refused_or(read: Callable[[], object], error: type[Exception] = InvalidFormat) -> None:
    with suppress(error):
        read()


_JSON = (b'"type"', b"null", b"true", b"1e400", b"NaN", b"-1", b"[" * 200, b'"\\ud800"', b"9" * 5000, b"{}")
_VENDORS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "vapi-message": vapi.read,
    "vocode-message": vocode.told,
    "elevenlabs-message": elevenlabs.read,
}
TARGETS = (
    Target(name="bundle", read=bundle, words=_HEADER),
    Target(name="entry-id", read=entry_id, words=(b"-", b"0", b"9" * 5000, "٣".encode())),
    Target(name="client-message", read=client_message, words=_JSON),
    Target(name="server-message", read=server_message, words=_JSON),
    Target(name="remote-call", read=remote_call, words=_JSON),
    Target(name="remote-reference", read=reference, refuses=(InvalidConfig,), words=(b"remote:", b"?order=", b"&")),
    Target(name="session-record", read=record, words=(b"\n", b"=", b"state=", *_JSON)),
    Target(name="log-entry", read=log_entry, refuses=(), words=_JSON),
    Target(name="sealed-keys", read=sealed),
    Target(name="token", read=token, refuses=(), words=(b'"exp"', b'"iat"', b'"aud"', b'"sub"', *_JSON)),
    Target(name="record-link", read=link, refuses=(), words=(b'"exp"', b'"aud"', *_JSON)),
    Target(name="livekit-webhook", read=livekit_webhook, words=(b'"room"', b'"event"', *_JSON)),
    Target(name="pipecat-frame", read=pipecat_frame, words=(b"RIFF", b"\x12", b"\x1a", b"\x22", *_JSON)),
    Target(name="elevenlabs-speech", read=speech_lines, words=_JSON),
    *(
        Target(name=name, read=of_object(read), refuses=(VoiceBackendError,), words=_JSON)
        for name, read in _VENDORS.items()
    ),
)
