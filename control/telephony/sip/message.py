"""SIP messages as they come in: taken apart, bounded, and checked before anything is done for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from control.telephony.sip import library

MAX_MESSAGE = 64 * 1024
"""Bytes."""
MAX_HEAD = 8 * 1024
"""Bytes of start line and headers."""
MAX_HEADERS = 64
MAX_ID = 256
"""Characters of a Call-ID, a tag or a branch."""
MAX_URI = 512
MAX_CSEQ = 2**31 - 1
_ONCE = ("from", "to", "call-id", "cseq", "content-length", "max-forwards", "content-type")
_NEEDED = ("via", "from", "to", "call-id", "cseq")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FOLD = re.compile(rb"\r\n[ \t]+")
_FIRST_VIA = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*")*')
_SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)


class Unanswerable(Exception):
    """Not SIP, or nothing that could be answered; it is dropped."""


class Headers:
    """A message's headers; names are in small letters and never short."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in items:
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str, default: str = "") -> str:
        """Return the first value."""
        values = self._values.get(name)
        return values[0] if values else default

    def all(self, name: str) -> Sequence[str]:
        """Return every value, in their order."""
        return self._values.get(name, ())

    def first(self) -> Iterator[tuple[str, str]]:
        """Return each name with its first value."""
        return ((name, values[0]) for name, values in self._values.items())

    def tokens(self, name: str) -> list[str]:
        """Return the words of a header that lists some, in small letters."""
        words = (word.strip().lower() for value in self.all(name) for word in value.split(","))
        return [word for word in words if word]


class Faulty(Exception):
    """A request that is wrong, and well enough to be told so."""

    def __init__(self, code: int, method: str, headers: Headers) -> None:
        self.code, self.method, self.headers = code, method, headers
        super().__init__(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request with which nothing is wrong in itself."""

    method: str
    uri: str
    called: str
    """User part of the address."""
    caller: str
    """User part of From."""
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    branch: str
    sent_by: str
    call_id: str
    cseq: int
    from_tag: str
    to_tag: str
    """Empty where the request begins something."""

    @property
    def content_type(self) -> str:
        """Return the kind of the body, in small letters, without its parameters."""
        return self.headers.get("content-type").partition(";")[0].strip().lower()

    @property
    def outline(self) -> Request:
        """Return what is asked of a request that has its last answer: who sent it, not what it said."""
        return replace(self, headers=Headers(()), body=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer to a request of ours."""

    code: int
    branch: str
    method: str


def parse(data: bytes) -> Request | Response:
    """Return the message in a datagram, or in the bytes that framing cut from a stream.

    Raises:
        Unanswerable: it is nothing, or nothing that has an answer.
        Faulty: it is a request, and wrong.

    """
    head, body = _split(data)
    start, headers = _lines(head)
    if start.startswith("SIP/2.0 "):
        return _response(start, headers)
    parts = start.split(" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not parts[2].upper().startswith("SIP/"):  # noqa: PLR2004
        raise Unanswerable("start line")
    method, uri, version = parts
    if any(name not in headers for name in _NEEDED):
        raise Unanswerable("headers")
    if version.upper() != "SIP/2.0":
        raise Faulty(505, method, headers)
    try:
        return _request(method, uri, headers, body)
    except ValueError as error:
        raise Faulty(400, method, headers) from error


def first_via(headers: Headers) -> tuple[str, str]:
    """Return the topmost Via as it is written, and what follows it in its line."""
    text = headers.get("via")
    found = _FIRST_VIA.match(text)
    end = found.end() if found else len(text)
    return text[:end].strip(), text[end:]


def _split(data: bytes) -> tuple[bytes, bytes]:
    data = data.lstrip(b"\r\n")
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD + 4)
    if end <= 0 or len(data) > MAX_MESSAGE:
        raise Unanswerable("size")
    return data[:end], data[end + 4 :]


def _lines(head: bytes) -> tuple[str, Headers]:
    """Return the start line and the headers."""
    try:
        lines = _FOLD.sub(b" ", head).decode("utf-8").split("\r\n")
    except UnicodeDecodeError:
        raise Unanswerable("encoding") from None
    if len(lines) > MAX_HEADERS + 1 or any(_CONTROL.search(line) for line in lines):
        raise Unanswerable("headers")
    items = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name.strip()):
            raise Unanswerable("header")
        items.append((library.header_name(name), value.strip()))
    return lines[0], Headers(items)


def _response(start: str, headers: Headers) -> Response:
    code = start[8:11]
    try:
        _, method = library.cseq(headers.get("cseq"))
        branch = library.via(first_via(headers)[0]).branch
    except ValueError:
        raise Unanswerable("response") from None
    if not (code.isascii() and code.isdigit()):
        raise Unanswerable("response")
    return Response(code=int(code), branch=branch, method=method)


def _request(method: str, uri: str, headers: Headers, body: bytes) -> Request:
    """Return a request; raises Faulty or ValueError."""
    _check_once(headers)
    if not _SCHEME.match(uri):
        raise Faulty(416, method, headers)
    number, named = library.cseq(headers.get("cseq"))
    sender, receiver = library.address(headers.get("from")), library.address(headers.get("to"))
    via = library.via(first_via(headers)[0])
    call_id = headers.get("call-id")
    if named != method or number > MAX_CSEQ:
        raise ValueError("cseq")
    if not (via.branch and sender.tag and call_id) or " " in call_id or len(uri) > MAX_URI:
        raise ValueError("ids")
    if max(map(len, (via.branch, sender.tag, receiver.tag, call_id))) > MAX_ID:
        raise ValueError("ids")
    return Request(
        method=method,
        uri=uri,
        called=library.called_user(uri),
        caller=sender.user,
        headers=headers,
        body=_body(headers, body),
        branch=via.branch,
        sent_by=via.sent_by,
        call_id=call_id,
        cseq=number,
        from_tag=sender.tag,
        to_tag=receiver.tag,
    )


def _check_once(headers: Headers) -> None:
    for name in _ONCE:
        if len(headers.all(name)) > 1:
            raise ValueError(name)
    hops = headers.get("max-forwards", "70")
    if not (hops.isascii() and hops.isdigit() and int(hops[:9]) <= 255):  # noqa: PLR2004
        raise ValueError("max-forwards")


def _body(headers: Headers, body: bytes) -> bytes:
    """Return as much of what follows the headers as the message says is its own."""
    length = headers.get("content-length", str(len(body)))
    if not (length.isascii() and length.isdigit() and int(length[:9]) <= len(body)):
        raise ValueError("content-length")
    return body[: int(length)]
