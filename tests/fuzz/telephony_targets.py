"""What strangers send to telephone numbers and ports: SIP, SDP, RTP, keys, carriers' streams and webhooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

from sip_exchange import PHONE, STRANGER, Exchange, header
from target import Target, fields

from control.telephony import signatures
from control.telephony.carriers.carrier import Carrier, Told
from control.telephony.carriers.plivo import Plivo as PlivoWebhooks
from control.telephony.carriers.telnyx import Telnyx as TelnyxWebhooks
from control.telephony.carriers.twilio import Twilio as TwilioWebhooks
from control.telephony.carriers.vonage import Vonage as VonageWebhooks
from control.telephony.outbound.carriers.twilio_status import greeting_is_over, status_of
from control.telephony.rtp import packet
from control.telephony.rtp.latch import Latch
from control.telephony.rtp.media_format import MediaFormat
from control.telephony.rtp.rtp_stream import RtpStream
from control.telephony.rtp.telephone_event import KEYS, KeyReader
from control.telephony.sip import framing, message, sdp
from control.telephony.streams.dialect import Dialect
from control.telephony.streams.exotel import Exotel
from control.telephony.streams.plivo import Plivo
from control.telephony.streams.stream_events import Audio, Opened, Pressed
from control.telephony.streams.telnyx import Telnyx
from control.telephony.streams.twilio import Twilio
from control.telephony.streams.vonage import Vonage
from voicebackend.codecs import Encoding
from voicebackend.errors import InvalidFormat

TOKEN = "0123456789abcdef0123456789abcdef"
TELNYX_KEY = "0MrkKYNhk5wLjGrXTyVuDD5q9P/ZzXNzS0Q0T0ohHX0="
"""A public key whose private one signs no test."""
_MEDIA = MediaFormat(encoding=Encoding.MULAW, payload_type=0, key_type=101)
_PLACE = ("192.0.2.7", 4000)
_CUT = b"\n--\n"
"""Parts one message from the next in a corpus file."""


def sip_message(data: bytes) -> None:
    """One datagram; what is taken has ids within bounds."""
    found = message.parse(data)
    if isinstance(found, message.Request):
        assert 0 < len(found.branch) <= message.MAX_ID
        assert 0 <= found.cseq <= message.MAX_CSEQ
        assert len(found.body) <= len(data)


def sip_exchange(data: bytes) -> None:
    """Datagrams at a user agent that has a call: nobody but the sender is answered, and a good call comes through."""
    exchange = Exchange()
    call = exchange.call(branch="live", call_id="live")
    for one in data.split(_CUT)[:8]:
        for source in (PHONE, STRANGER):
            for sent in exchange.send(one.replace(b"tag=x", f"tag={call}".encode()), source):
                assert sent.destination == source
                assert re.match(rb"SIP/2\.0 [1-6]\d\d ", sent.data)
                assert _tags(header(sent, "To")) <= max(
                    1, one.count(b"tag=")
                )  # what is refused may be repeated as it came
    assert exchange.ask("OPTIONS", branch="good", cseq=1) == [200]


def _tags(to: str) -> int:
    """Count the tags of a To; what stands in quotes or within the URI is none."""
    return re.sub(r'"[^"]*"|<[^>]*>', "", to).count(";tag=")


def sip_stream(data: bytes) -> None:
    """Bytes of a TCP connection in two pieces: the messages are the same as in one."""
    whole = framing.Framer().feed(data)
    pieces, half = framing.Framer(), len(data) // 2
    assert pieces.feed(data[:half]) + pieces.feed(data[half:]) == whole
    assert all(len(one) <= message.MAX_MESSAGE for one in whole)


def sdp_offer(data: bytes) -> None:
    """An offer: what is agreed on can be answered, and the answer be read."""
    found = sdp.agreed(data)
    assert found.named is None or 0 < found.named[1] <= 65535
    sdp.answer(found, ("198.51.100.1", 20000), session=1, version=1)


def rtp_packets(data: bytes) -> None:
    """Datagrams of a caller, each behind its length: no more is heard than came, and a second for each gap."""
    latch = Latch(_PLACE, lambda host: host.startswith("192.0.2."))
    stream, now, heard, count = RtpStream(_MEDIA, latch, ssrc=9, sequence=1, timestamp=1), 0.0, 0, 0
    for datagram in _pieces(data):
        now, count = now + 0.02, count + 1
        found = packet.parse(datagram)
        assert found is None or len(found.payload) <= len(datagram)
        heard += sum(map(len, stream.take(datagram, _PLACE, now).audio)) + sum(map(len, stream.wait(now)))
    assert heard <= len(data) + now * 8000 + 8000 * count


def telephone_events(data: bytes) -> None:
    """Payloads of keys."""
    reader = KeyReader()
    for number, payload in enumerate(_pieces(data)):
        key = reader.read(payload, int.from_bytes(payload[-4:], "big") if payload else number)
        assert key is None or key in KEYS


def _stream(kind: type[Dialect]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        """One message after another, text or bytes."""
        dialect = kind()
        for one in data.split(_CUT)[:16]:
            _event(dialect, one.decode("utf-8", "replace"), len(one))
            _event(dialect, one, len(one))
        assert isinstance(dialect.stream, str)

    return read


def _event(dialect: Dialect, said: str | bytes, size: int) -> None:
    try:
        event = dialect.read(said)
    except InvalidFormat:
        return
    if isinstance(event, Audio):
        assert len(event.payload) <= size
    elif isinstance(event, Pressed):
        assert event.digit in set(KEYS)
    elif isinstance(event, Opened):
        assert all(isinstance(value, str) for value in event.parameters.values())


def _webhook(carrier: Carrier, secret: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        """Headers, a query and a body that nobody signed: never genuine; and the call, if it tells of one."""
        first, _, body = data.partition(b"\n\n")
        lines = first.decode("latin-1").split("\n")
        headers = fields(lines[1:], ": ")
        form = tuple(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        told = Told(method="POST", url=f"https://voice.example/x?{lines[0]}", headers=headers, form=form, body=body)
        assert not carrier.is_genuine(told, secret, now=1_790_000_000.0)
        assert isinstance(carrier.once(told), str)
        call = carrier.incoming(told)
        assert len(call.called) <= 129
        assert carrier.hold(told, "https://voice.example/again").body

    return read


def twilio_status(data: bytes) -> None:
    """A callback about a call of ours."""
    form = tuple(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True))
    told = Told(method="POST", url="https://voice.example/x", headers={}, form=form, body=data)
    greeting_is_over(told)
    status = status_of(told, "c1", 1, now=1_790_000_000.0)
    assert status is None or 0 <= status.at <= 1_790_000_000.0


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield pieces, each behind one byte that says how long it is."""
    at = 0
    while at < len(data) and at < 16_384:
        yield data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]


_SIP = (
    b"\r\n",
    b"\r\n\r\n",
    b"tag=",
    b"tel:",
    b"rport=99999",
    b"\x00",
    b"Content-Length: 99999",
    b"<",
    b'"',
    b"%0d",
    _CUT,
)
_SDP = (
    b"m=audio 0",
    b"c=IN IP4 224.0.0.1",
    b"c=IN IP6 ::1",
    b"a=rtpmap:",
    b"99999",
    b"RTP/SAVP",
    b"\r\n",
    b"a=inactive",
)
_JSON = (b'"media"', b'"payload"', b'"!!"', b"null", b"1e400", b"[" * 300, b'"\\ud800"', b"9" * 5000, b"{}", _CUT)
_FORM = (b"CallSid=", b"&", b"%00", b"%ff", b"=", b"\n", b"X-Twilio-Signature: ", b"bodySHA256=", b"[", b"Timestamp=")
_DIALECTS = (Twilio, Telnyx, Plivo, Vonage, Exotel)
_CARRIERS: tuple[tuple[Carrier, str], ...] = (
    (TwilioWebhooks(), TOKEN),
    (TelnyxWebhooks(), TELNYX_KEY),
    (PlivoWebhooks(), TOKEN),
    (VonageWebhooks(), TOKEN),
)
assert signatures.telnyx_key(TELNYX_KEY)
TARGETS = (
    Target(name="sip-message", read=sip_message, refuses=(message.Unanswerable, message.Faulty), words=_SIP),
    Target(name="sip-exchange", read=sip_exchange, refuses=(), words=_SIP),
    Target(name="sip-stream", read=sip_stream, refuses=(framing.Unframeable,), words=_SIP),
    Target(name="sdp-offer", read=sdp_offer, words=_SDP),
    Target(name="rtp-packets", read=rtp_packets, refuses=(), words=(b"\x80\x00", b"\x80\xe5", b"\xb0", b"\xff" * 4)),
    Target(name="telephone-events", read=telephone_events, refuses=(), words=(b"\x04", b"\x8a", b"\xff" * 4)),
    *(Target(name=f"{kind.name}-stream", read=_stream(kind), refuses=(), words=_JSON) for kind in _DIALECTS),
    *(Target(name=f"{one.name}-webhook", read=_webhook(one, secret), words=_FORM) for one, secret in _CARRIERS),
    Target(name="twilio-status", read=twilio_status, words=(*_FORM, b"CallStatus=", b"AnsweredBy=")),
)
