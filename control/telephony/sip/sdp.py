"""SDP of telephone calls (RFC 4566, 3264): an offer is answered, or we make one. Pure; names are never looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import TypeAlias

from control.telephony.rtp.media_format import MediaFormat
from control.telephony.rtp.packet import Place
from voicebackend.codecs import Encoding
from voicebackend.errors import InvalidFormat

KIND = "application/sdp"
MAX_BYTES = 16 * 1024
MAX_LINES = 300
_RTP = "RTP/AVP"
_STATIC = MappingProxyType({0: "PCMU/8000", 8: "PCMA/8000"})
_CODECS = MappingProxyType({"PCMU/8000": Encoding.MULAW, "PCMA/8000": Encoding.ALAW})
_NAMES = MappingProxyType({encoding: name for name, encoding in _CODECS.items()})
_KEYS = "TELEPHONE-EVENT/8000"
_OURS = MediaFormat(encoding=Encoding.MULAW, payload_type=0, key_type=101)
_MEDIA = re.compile(r"(\w{1,32}) (\d{1,5})(?:/\d{1,3})? ([\w/]{1,32}) ([\w.* +-]{1,1000})", re.ASCII)
_RTPMAP = re.compile(r"rtpmap:(\d{1,3}) ([\w.-]{1,64}/\d{1,6})(?:/1)?", re.ASCII)

Address: TypeAlias = IPv4Address | IPv6Address


class Direction(StrEnum):
    """Which ways audio goes, as the one sees it who says it."""

    BOTH = "sendrecv"
    SEND = "sendonly"
    RECEIVE = "recvonly"
    NONE = "inactive"

    @property
    def answer(self) -> Direction:
        """Return the same as the other side sees it."""
        return {Direction.SEND: Direction.RECEIVE, Direction.RECEIVE: Direction.SEND}.get(self, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """The far side's half of what both agreed on."""

    media: MediaFormat
    named: Place | None
    """Where it wants our audio; None on hold as of old (``c=0.0.0.0``)."""
    direction: Direction
    """As it sees it."""
    lines: tuple[str, ...] = ()
    """Its media lines, in order, of which we take one."""
    taken: int = 0
    """Which."""

    @property
    def sends(self) -> bool:
        """Whether we send audio."""
        return self.named is not None and self.direction in (Direction.BOTH, Direction.RECEIVE)

    @property
    def hears(self) -> bool:
        """Whether we hear audio."""
        return self.direction in (Direction.BOTH, Direction.SEND)

    @property
    def on_hold(self) -> bool:
        """Whether nobody listens there."""
        return self.named is None or self.direction in (Direction.SEND, Direction.NONE)


@dataclass(slots=True)
class _Section:
    """Lines of the session, or of one media line."""

    media: str = ""
    connection: str | None = None
    direction: Direction | None = None
    formats: dict[int, str] = field(default_factory=dict)
    """Codec and rate by payload type, in capital letters."""


def agreed(body: bytes, *, keep: MediaFormat | None = None, family: int = 4) -> Agreed:
    """Return what an offer, or the answer to ours, lets us agree on.

    ``keep`` is the only codec of a call that goes on; ``family`` is that of our addresses, 4 or 6.

    Raises:
        InvalidFormat: there is nothing to agree on, or it is not SDP, or its address cannot be one.

    """
    session, *sections = _sections(body)
    lines = tuple(section.media for section in sections)
    for index, section in enumerate(sections):
        found = _agreed(session, section, keep)
        if found is not None:
            media, named, direction = found
            if named is not None and ip_address(named[0]).version != family:
                raise InvalidFormat("sdp", f"c= must have an address of IPv{family}")
            return Agreed(media=media, named=named, direction=direction, lines=lines, taken=index)
    raise InvalidFormat("sdp", "no audio by RTP/AVP with PCMU or PCMA is offered")


def answer(found: Agreed, place: Place, *, session: int, version: int) -> bytes:
    """Return our answer: audio at this place, in the formats agreed on; all other media refused."""
    parts = [
        _audio(found.media, place[1], found.direction.answer) if index == found.taken else _refused(line)
        for index, line in enumerate(found.lines)
    ]
    return _session(place[0], parts, session=session, version=version)


def offer(place: Place, *, session: int, version: int, keep: MediaFormat | None = None) -> bytes:
    """Return an offer of ours: ``keep`` where a call goes on, else PCMU, PCMA and keys."""
    if keep is not None:
        return _session(place[0], [_audio(keep, place[1], Direction.BOTH)], session=session, version=version)
    ours = _audio(_OURS, place[1], Direction.BOTH, (8, "PCMA/8000"))
    return _session(place[0], [ours], session=session, version=version)


def _agreed(
    session: _Section, section: _Section, keep: MediaFormat | None
) -> tuple[MediaFormat, Place | None, Direction] | None:
    """Return what one media line offers to us, None if nothing."""
    kind, port, protocol, numbers = _media(section.media)
    if kind != "audio" or protocol != _RTP or port == 0:
        return None
    media = _format(section.formats, numbers, keep)
    if media is None:
        return None
    named = _place(section.connection or session.connection, port)
    return media, named, section.direction or session.direction or Direction.BOTH


def _format(names: Mapping[int, str], numbers: Sequence[int], keep: MediaFormat | None) -> MediaFormat | None:
    known = {number: names.get(number, _STATIC.get(number, "")) for number in numbers}
    usable = [(number, _CODECS[name]) for number, name in known.items() if name in _CODECS]
    kept = [(number, encoding) for number, encoding in usable if keep is not None and encoding is keep.encoding]
    if not usable or (keep is not None and not kept):
        return None
    number, encoding = (kept or usable)[0]
    key_type = next((number for number, name in known.items() if name == _KEYS), None)
    return MediaFormat(encoding=encoding, payload_type=number, key_type=key_type)


def _place(connection: str | None, port: int) -> Place | None:
    """Return where the far side wants our audio; None for nowhere.

    Raises:
        InvalidFormat: that cannot be a place of one machine.

    """
    parts = (connection or "").split()
    try:
        address = ip_address(parts[2] if len(parts) == 3 and parts[0] == "IN" else "")  # noqa: PLR2004
    except ValueError as error:
        raise InvalidFormat("sdp", "c= must have one IP address; names are not looked up") from error
    if parts[1] != f"IP{address.version}":
        raise InvalidFormat("sdp", "c= has an address of another kind than it says")
    if address.is_unspecified:
        return None
    if address.is_multicast or (isinstance(address, IPv4Address) and address.is_reserved):
        raise InvalidFormat("sdp", "c= must have one machine's address")
    if port > 65535:  # noqa: PLR2004 - the last port
        raise InvalidFormat("sdp", "m= must have a port up to 65535")
    return str(address), port


def _sections(body: bytes) -> list[_Section]:
    if len(body) > MAX_BYTES:
        raise InvalidFormat("sdp", f"longer than {MAX_BYTES} bytes")
    try:
        lines = [line for line in body.decode().replace("\r\n", "\n").split("\n") if line]
    except UnicodeDecodeError as error:
        raise InvalidFormat("sdp", "not UTF-8") from error
    if not lines or lines[0] != "v=0" or len(lines) > MAX_LINES:
        raise InvalidFormat("sdp", f"not SDP of at most {MAX_LINES} lines")
    sections = [_Section()]
    for line in lines[1:]:
        kind, equals, value = line.partition("=")
        if not equals or len(kind) != 1:
            raise InvalidFormat("sdp", "a line is not of the form x=...")
        if kind == "m":
            sections.append(_Section(media=value.strip()))
        else:
            _note(sections[-1], kind, value.strip())
    return sections


def _note(section: _Section, kind: str, value: str) -> None:
    """Take what a line says of its section, if that is of concern."""
    if kind == "c" and section.connection is None:
        section.connection = value
    elif kind == "a" and value in list(Direction):
        section.direction = Direction(value)
    elif kind == "a" and (found := _RTPMAP.fullmatch(value)) is not None:
        section.formats[int(found[1])] = found[2].upper()


def _media(line: str) -> tuple[str, int, str, list[int]]:
    found = _MEDIA.fullmatch(line)
    if found is None:
        raise InvalidFormat("sdp", "m= is not of the form kind port protocol formats")
    numbers = [int(number) for number in found[4].split() if number.isascii() and number.isdigit()]
    return found[1], int(found[2]), found[3], [number for number in numbers if number < 128]  # noqa: PLR2004


def _audio(media: MediaFormat, port: int, direction: Direction, *more: tuple[int, str]) -> str:
    formats = [(media.payload_type, _NAMES[media.encoding]), *more]
    if media.key_type is not None:
        formats.append((media.key_type, _KEYS.lower()))
    lines = [f"m=audio {port} {_RTP} {' '.join(str(number) for number, _ in formats)}"]
    lines += [f"a=rtpmap:{number} {name}" for number, name in formats]
    if media.key_type is not None:
        lines.append(f"a=fmtp:{media.key_type} 0-15")
    return "\r\n".join([*lines, "a=ptime:20", f"a={direction}"])


def _refused(line: str) -> str:
    kind, _, protocol, _ = _media(line)
    formats = line.split(" ", 3)[3]
    return f"m={kind} 0 {protocol} {formats}"


def _session(host: str, parts: Sequence[str], *, session: int, version: int) -> bytes:
    where = f"IN IP{ip_address(host).version} {host}"
    begin = ["v=0", f"o=- {session} {version} {where}", "s=-", f"c={where}", "t=0 0"]
    return "\r\n".join([*begin, *parts, ""]).encode()
