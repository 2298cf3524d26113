"""What every carrier can do: tell of a call, and be told to stream it to us or to refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol
from xml.etree.ElementTree import Element, tostring

XML = "application/xml"
HOLD_S = 1
"""Seconds that a carrier is told to wait: fewer it cannot, as a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A webhook as it came."""

    method: str
    url: str
    """Under which the carrier reaches us: our public address with the request's path and query."""
    headers: Mapping[str, str]
    """Whatever the case of their names."""
    form: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A call that a carrier tells of. All of it but the id is only what signalling says: numbers can be forged."""

    call_id: str
    called: str
    caller: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of SIP, names in small letters."""
    attestation: str = ""
    """What the carrier found of the caller's number by STIR/SHAKEN, in its words; empty where it told nothing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the carrier is answered."""

    content_type: str
    body: bytes


class Carrier(Protocol):
    """One carrier's webhooks."""

    name: ClassVar[str]
    """That of its media streams' dialect too."""

    def is_genuine(self, told: Told, secret: str, *, now: float) -> bool:
        """Tell whether it comes from the carrier; ``now`` is seconds since the epoch."""
        ...

    def once(self, told: Told) -> str:
        """Return what is signed and in no other webhook, where signatures have no time; empty where they have one."""
        ...

    def incoming(self, told: Told) -> Incoming:
        """Return the call.

        Raises:
            InvalidFormat: it does not tell of one.

        """
        ...

    def connect(self, url: str, token: str) -> Reply:
        """Return what has the call streamed to this ``wss://`` address, with our token."""
        ...

    def refuse(self, code: int) -> Reply:
        """Return what ends the call, for the reason of this SIP status."""
        ...

    def hold(self, told: Told, url: str) -> Reply:
        """Return what has the carrier wait for ``HOLD_S`` and then tell this address what it told now."""
        ...


def document(*verbs: Element) -> Reply:
    """Return XML whose values are escaped, whatever they are."""
    root = Element("Response")
    root.extend(verbs)
    return Reply(XML, tostring(root, encoding="utf-8", xml_declaration=True))


def element(tag: str, /, *children: Element, text: str = "", **attributes: str) -> Element:
    """Return an element."""
    made = Element(tag, attributes)
    made.text = text or None
    made.extend(children)
    return made


def with_plus(number: str) -> str:
    """Return a number in international form, which some carriers write without its plus, with it."""
    return f"+{number}" if number.isascii() and number.isdigit() else number
