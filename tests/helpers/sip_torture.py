"""Bad SIP messages, more than a hundred: what has killed other user agents, and what might.

Each is one datagram. Whoever takes them must live, must answer nobody but the sender, and must take a good call next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

Changes: TypeAlias = Mapping[str, str | bytes | None]
"""What differs from a good INVITE: headers by name (None leaves one out), ``start``, ``body``, ``more``."""

SDP = "\r\n".join(["v=0", "o=- 1 1 IN IP4 {host}", "s=-", "c=IN IP4 {host}", "t=0 0", "m=audio 40000 RTP/AVP 0", ""])
_ORDER = ("Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Type", "Content-Length")


def message(name: str, changes: Changes, host: str = "127.0.0.1", port: int = 5070) -> bytes:
    """Return an INVITE of a caller at ``host`` and ``port`` with these changes; ``name`` makes its ids its own."""
    slug = "".join(letter if letter.isalnum() else "-" for letter in name)
    body = changes.get("body", SDP) or ""
    body = body if isinstance(body, bytes) else body.replace("{host}", host).encode()
    good = {
        "Via": f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK-{slug};rport",
        "Max-Forwards": "70",
        "From": f"<sip:torture@{host}>;tag=from-{slug}",
        "To": f"<sip:+14155550123@{host}>",
        "Call-ID": f"{slug}@{host}",
        "CSeq": "1 INVITE",
        "Contact": f"<sip:torture@{host}:{port}>",
        "Content-Type": "application/sdp",
        "Content-Length": str(len(body)),
    }
    fill = {"{slug}": slug, "{host}": host, "{port}": str(port)}
    lines: list[bytes] = [_filled(changes.get("start", "INVITE sip:+14155550123@{host} SIP/2.0"), fill)]
    lines += [
        name.encode() + b": " + _filled(value, fill)
        for name in _ORDER
        if (value := changes.get(name, good[name])) is not None
    ]
    if more := changes.get("more"):
        lines.append(_filled(more, fill))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _filled(value: str | bytes | None, fill: Mapping[str, str]) -> bytes:
    if isinstance(value, bytes):
        return value
    text = value or ""
    for mark, meant in fill.items():
        text = text.replace(mark, meant)
    return text.encode("utf-8", "surrogateescape")


_VIA = "SIP/2.0/UDP {host}:{port};branch=z9hG4bK-{slug}"
_OTHER = "sip:{host} SIP/2.0"

VIAS: Mapping[str, Changes] = {
    f"via {what}": {"Via": value}
    for what, value in {
        "rport 99999": f"{_VIA};rport=99999",
        "rport 0": f"{_VIA};rport=0",
        "rport -1": f"{_VIA};rport=-1",
        "rport letters": f"{_VIA};rport=abc",
        "rport of another script": f"{_VIA};rport=٥٠٦٠",
        "rport of 5000 digits": f"{_VIA};rport={'9' * 5000}",
        "port 0": "SIP/2.0/UDP {host}:0;branch=z9hG4bK-{slug};rport",
        "port 99999": "SIP/2.0/UDP {host}:99999;branch=z9hG4bK-{slug}",
        "port -1": "SIP/2.0/UDP {host}:-1;branch=z9hG4bK-{slug}",
        "port letters": "SIP/2.0/UDP {host}:abc;branch=z9hG4bK-{slug}",
        "name that must be looked up": "SIP/2.0/UDP evil.invalid:5060;branch=z9hG4bK-{slug}",
        "multicast": "SIP/2.0/UDP 224.0.0.1:5060;branch=z9hG4bK-{slug}",
        "somebody else": "SIP/2.0/UDP 192.0.2.1:53;branch=z9hG4bK-{slug}",
        "received somebody else": f"{_VIA};received=192.0.2.1;rport=53",
        "maddr": f"{_VIA};maddr=239.255.255.1;ttl=255",
        "no branch": "SIP/2.0/UDP {host}:{port}",
        "empty branch": "SIP/2.0/UDP {host}:{port};branch=",
        "branch of 4000": f"SIP/2.0/UDP {{host}}:{{port}};branch=z9hG4bK{'b' * 4000}",
        "parameter self": f"{_VIA};self=1",
        "no transport": "SIP/2.0 {host};branch=z9hG4bK-{slug}",
        "empty": "",
        "only commas": ",,,,",
        "unclosed quote": f'{_VIA};a="x',
        "300 of them": ", ".join([_VIA] * 100),
        "version 3": "SIP/3.0/UDP {host};branch=z9hG4bK-{slug}",
        "missing": None,
    }.items()
}
STARTS: Mapping[str, Changes] = {
    "version 3": {"start": "INVITE sip:+14155550123@{host} SIP/3.0"},
    "no version": {"start": "INVITE sip:+14155550123@{host}"},
    "http address": {"start": "INVITE http://{host}/ SIP/2.0"},
    "javascript address": {"start": "INVITE javascript:alert(1) SIP/2.0"},
    "no address": {"start": "INVITE  SIP/2.0"},
    "address of 5000": {"start": f"INVITE sip:{'1' * 5000}@{{host}} SIP/2.0"},
    "slow tel address": {"start": f"INVITE tel:{'1' * 4000}! SIP/2.0"},
    "address with port 99999": {"start": "INVITE sip:1@{host}:99999 SIP/2.0"},
    "address with spaces": {"start": "INVITE sip:1 2@{host} SIP/2.0"},
    "address with escapes": {"start": "INVITE sip:%00%0d%0a@{host} SIP/2.0"},
    "small letters": {"start": "invite sip:1@{host} SIP/2.0"},
    "unknown method": {"start": "EXPLODE sip:1@{host} SIP/2.0", "CSeq": "1 EXPLODE"},
    "method of 2000": {"start": f"{'M' * 2000} sip:1@{{host}} SIP/2.0"},
    "response that nobody asked for": {"start": "SIP/2.0 200 OK"},
    "response without a code": {"start": "SIP/2.0 abc OK"},
    "response 99": {"start": "SIP/2.0 99 Odd"},
    "HTTP": {"start": "GET / HTTP/1.1"},
}
HEADERS: Mapping[str, Changes] = {
    "CSeq of another method": {"CSeq": "1 BYE"},
    "CSeq -1": {"CSeq": "-1 INVITE"},
    "CSeq 2^64": {"CSeq": f"{2**64} INVITE"},
    "CSeq of 5000 digits": {"CSeq": f"{'9' * 5000} INVITE"},
    "CSeq of another script": {"CSeq": "٣ INVITE"},
    "CSeq letters": {"CSeq": "one INVITE"},
    "no CSeq": {"CSeq": None},
    "two CSeq": {"more": "CSeq: 2 INVITE"},
    "no From": {"From": None},
    "no To": {"To": None},
    "no Call-ID": {"Call-ID": None},
    "empty Call-ID": {"Call-ID": ""},
    "Call-ID of 4000": {"Call-ID": "c" * 4000},
    "Call-ID that is a path": {"Call-ID": "../../{slug}:*?[a-z]{tag}"},
    "two From": {"more": "From: <sip:other@{host}>;tag=2"},
    "From without tag": {"From": "<sip:torture@{host}>"},
    "From with two tags": {"From": "<sip:torture@{host}>;tag=a;tag=b"},
    "From is no address": {"From": "<<<>>>;tag=1"},
    "From with open quote": {"From": '"torture <sip:t@{host}>;tag=1'},
    "From with many quotes": {"From": '"' + '\\"' * 1500 + "<sip:t@{host}>;tag=1"},
    "slow tel in From": {"From": f"<tel:{'1' * 900}!>;tag=1"},
    "To with tag of no call": {"To": "<sip:1@{host}>;tag=nobody"},
    "To with empty tag": {"To": "<sip:1@{host}>;tag="},
    "Content-Length too long": {"Content-Length": "99999"},
    "Content-Length too short": {"Content-Length": "1"},
    "Content-Length -1": {"Content-Length": "-1"},
    "Content-Length letters": {"Content-Length": "ten"},
    "two Content-Length": {"more": "l: 5"},
    "Max-Forwards -1": {"Max-Forwards": "-1"},
    "Max-Forwards 999": {"Max-Forwards": "999"},
    "Contact is somebody else": {"Contact": "<sip:x@192.0.2.1:53>"},
    "Contact must be looked up": {"Contact": "<sip:x@evil.invalid:99999>"},
    "Contact is a star": {"Contact": "*"},
    "unknown Require": {"more": "Require: teleport"},
    "Require 100rel": {"more": "Require: 100rel"},
    "header of 9000": {"more": f"X-Long: {'x' * 9000}"},
    "100 headers": {"more": "\r\n".join(f"X-{n}: {n}" for n in range(100))},
    "10000 headers": {"more": "\r\n".join(f"X: {n}" for n in range(5000))},
    "NUL in X header": {"more": b"X-Name: a\x00b"},
    "CR in X header": {"more": b"X-Name: a\rINVITE sip:b SIP/2.0\r"},
    "LF in X header": {"more": b"X-Name: a\nX-Tenant: other"},
    "bad UTF-8": {"more": b"X-Name: \xff\xfe\xfa"},
    "header without colon": {"more": "This is no header"},
    "header without name": {"more": ": value"},
    "folded over and over": {"more": "X-Fold: a" + "\r\n " * 2000},
    "log line in a name": {"From": '"\x1b[31mERROR %s{}" <sip:t@{host}>;tag=1'},
    "slow credentials": {"more": "Authorization: Digest " + 'a="b",' * 1000},
    "credentials of nobody": {"more": 'Authorization: Digest username="x", nonce="1-2", nc=00000001, response="0"'},
    "record routes to somebody else": {"more": "Record-Route: <sip:192.0.2.1:99999;lr>"},
}
BODIES: Mapping[str, Changes] = {
    **{
        f"offer with {what}": {"body": SDP.replace(old, new)}
        for what, old, new in (
            ("port 0", "audio 40000", "audio 0"),
            ("port 99999", "audio 40000", "audio 99999"),
            ("port -1", "audio 40000", "audio -1"),
            ("port letters", "audio 40000", "audio abc"),
            ("a name that must be looked up", "c=IN IP4 {host}", "c=IN IP4 evil.invalid"),
            ("multicast", "c=IN IP4 {host}", "c=IN IP4 224.2.3.4/127"),
            ("somebody else", "c=IN IP4 {host}", "c=IN IP4 192.0.2.1"),
            ("everybody", "c=IN IP4 {host}", "c=IN IP4 255.255.255.255"),
            ("the SIP port itself", "audio 40000", "audio 5060"),
            ("encryption", "RTP/AVP", "RTP/SAVP"),
            ("no codec of ours", "RTP/AVP 0", "RTP/AVP 18"),
            ("a video only", "m=audio", "m=video"),
            ("no media", "m=audio 40000 RTP/AVP 0", "a=nothing"),
            ("no address", "c=IN IP4 {host}\r\n", ""),
            ("1000 media", "t=0 0", "t=0 0" + "\r\nm=audio 9 RTP/AVP 0" * 1000),
        )
    },
    "offer is binary": {"body": bytes(range(256))},
    "offer of 60 KB": {"body": "a=" + "x" * 60_000},
    "offer is none": {"body": "hello"},
    "body of another kind": {"Content-Type": "text/plain"},
    "body without a kind": {"Content-Type": None},
    "body is packed": {"more": "Content-Encoding: gzip"},
}
REQUESTS: Mapping[str, Changes] = {
    **{
        f"{method} outside of a call": {"start": f"{method} {_OTHER}", "CSeq": f"1 {method}", "body": None}
        for method in ("ACK", "BYE", "CANCEL", "INFO", "UPDATE", "PRACK", "NOTIFY", "PUBLISH")
    },
    "REFER to a premium number": {
        "start": f"REFER {_OTHER}",
        "CSeq": "1 REFER",
        "more": "Refer-To: <sip:+19005550123@192.0.2.1>",
    },
    "BYE with wrong tags": {"start": f"BYE {_OTHER}", "CSeq": "2 BYE", "To": "<sip:1@{host}>;tag=wrong"},
    "INFO with 1000 keys": {
        "start": f"INFO {_OTHER}",
        "CSeq": "3 INFO",
        "Content-Type": "application/dtmf-relay",
        "body": "Signal=?\r\n" * 1000,
    },
}
RAW: Mapping[str, bytes] = {
    "nothing": b"",
    "one byte": b"\x00",
    "line ends": b"\r\n\r\n",
    "60 KB of noise": bytes(range(256)) * 235,
    "only a start line": b"INVITE sip:a@b SIP/2.0\r\n\r\n",
    "no end of headers": b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x",
    "bare line feeds": b"INVITE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\n\n",
    "RTP": b"\x80\x00" + bytes(170),
    "STUN": b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
}


def bad_messages(host: str = "127.0.0.1", port: int = 5070) -> Iterator[tuple[str, bytes]]:
    """Give every bad message with its name, as a caller at this address sends it."""
    for table in (VIAS, STARTS, HEADERS, BODIES, REQUESTS):
        for name, changes in table.items():
            yield name, message(name, changes, host, port)
    yield from RAW.items()
