"""Answers to requests, as bytes. What a request says is repeated, never looked up and never sent to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from control.telephony.sip.events import Source
from control.telephony.sip.message import Headers, first_via

ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO"
_NO_PARAMETERS = re.compile(r'"(?:[^"\\]|\\.)*"|<[^>]*>')
_HAS_TAG = re.compile(r";\s*tag\s*=", re.IGNORECASE)
_OURS = re.compile(r"\s*;\s*(?:received|rport)\s*(?:=[^;,]*)?(?=[;,]|\Z)", re.IGNORECASE)
_RPORT = re.compile(r";\s*rport\s*(?:[=;,]|\Z)", re.IGNORECASE)
_REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    505: "Version Not Supported",
    603: "Decline",
}


class Refusal(NamedTuple):
    """How a request is refused."""

    code: int
    headers: tuple[tuple[str, str], ...] = ()


def reply(
    headers: Headers,
    source: Source,
    code: int,
    *,
    tag: str = "",
    extra: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """Return the answer to a request with these headers; ``tag`` is ours, put in where To has none."""
    lines = [f"SIP/2.0 {code} {_REASONS.get(code, 'Refused' if code >= 300 else 'OK')}"]  # noqa: PLR2004
    lines += [f"Via: {value}" for value in _vias(headers, source)]
    if 100 < code < 300:  # noqa: PLR2004 - the classes that make a dialog
        lines += [f"Record-Route: {value}" for value in headers.all("record-route")]
    to = headers.get("to")
    lines += [
        f"From: {headers.get('from')}",
        f"To: {to};tag={tag}" if tag and not _HAS_TAG.search(_NO_PARAMETERS.sub("", to)) else f"To: {to}",
        f"Call-ID: {headers.get('call-id')}",
        f"CSeq: {headers.get('cseq')}",
    ]
    lines += [f"{name}: {value}" for name, value in extra]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def _vias(headers: Headers, source: Source) -> list[str]:
    """Return every Via; the topmost with where the request really came from (RFC 3581)."""
    top, rest = first_via(headers)
    seen = f";received={source.host}" + (f";rport={source.port}" if _RPORT.search(top) else "")
    return [_OURS.sub("", top) + seen + rest, *headers.all("via")[1:]]
