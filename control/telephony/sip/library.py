"""The parser library, ``sipmessage``, and all that is known of it: nothing else here imports it.

It raises more than it says (``TypeError`` for a parameter called ``self``), and takes digits of all scripts for digits.
Two of its patterns take seconds for what fits in a message: that of ``tel:`` addresses, which are kept short here, and
that of credentials, which is not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from voicebackend.errors import InvalidConfig

if TYPE_CHECKING:
    from types import ModuleType

T = TypeVar("T")

MAX_VALUE = 1024
"""Characters of a value that is taken apart."""
_LONG_TEL = re.compile(r"tel:[^;>\s]{33}", re.IGNORECASE)
_BRACKETED = re.compile(r"<[^<>]*>[^<>]*\Z")
_NO_PARAMETERS = re.compile(r'"(?:[^"\\]|\\.)*"|<[^>]*>')
_TAG = re.compile(r";\s*tag\s*(?:=|;|\Z)", re.IGNORECASE)
_URI = re.compile(r"<([^<>]*)>[^<>]*\Z")
_COMPACT = {
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "s": "subject",
    "t": "to",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}


@dataclass(frozen=True, slots=True)
class Via:
    """The hop that a request came by."""

    sent_by: str
    branch: str
    rport: str | None
    """Empty where the sender asks for it; None where it does not."""


@dataclass(frozen=True, slots=True)
class Address:
    """What From, To and Contact have."""

    user: str
    uri: str
    """As it is written."""
    tag: str


@cache
def sipmessage() -> ModuleType:
    """Return the library.

    Raises:
        InvalidConfig: it is not installed.

    """
    try:
        import sipmessage as library
    except ImportError as error:
        message = "calls by SIP need a package: pip install 'voicebackend[sip]'"
        raise InvalidConfig("telephony", message, details={"field": "sip"}) from error
    return library


def header_name(text: str) -> str:
    """Return a header's name in small letters, whole where it was one letter."""
    name = text.strip().lower()
    return _COMPACT.get(name, name)


def via(text: str) -> Via:
    """Take a single Via apart; raises ValueError."""
    found = _parsed(sipmessage().Via.parse, text)
    parameters = {name.lower(): value for name, value in found.parameters.items()}
    if found.port is not None and not 0 < found.port <= 65535:  # noqa: PLR2004
        raise ValueError("port")
    rport = parameters["rport"] or "" if "rport" in parameters else None
    if rport and not (rport.isascii() and rport.isdigit() and 0 < int(rport[:9]) <= 65535):  # noqa: PLR2004
        raise ValueError("rport")
    return Via(f"{found.host.lower()}:{found.port or ''}", parameters.get("branch") or "", rport)


def address(text: str) -> Address:
    """Take a From, To or Contact apart; raises ValueError."""
    try:
        found = _parsed(sipmessage().Address.parse, text)
    except ValueError:
        bare = _BRACKETED.search(text)  # names are often written as they should not be
        if bare is None or bare.start() == 0:
            raise
        found = _parsed(sipmessage().Address.parse, bare[0])
    tags = [value or "" for name, value in found.parameters.items() if name.lower() == "tag"]
    if len(_TAG.findall(_NO_PARAMETERS.sub("", text))) > 1:  # of two the library knows the last
        raise ValueError("tag")
    written = _URI.search(text)
    return Address(_user(found.uri), written[1] if written else text.partition(";")[0], tags[0] if tags else "")


def called_user(uri: str) -> str:
    """Return the user part of a request's address, empty if it has none; raises ValueError."""
    return _user(_parsed(sipmessage().URI.parse, uri))


def is_of_user(uri: str, user: str) -> bool:
    """Tell whether an address has this user part; what is no address has none."""
    try:
        return called_user(uri) == user
    except ValueError:
        return False


def _user(uri: Any) -> str:
    user: str = uri.user or ""
    if not user.isprintable():  # escapes stand for anything
        raise ValueError("user")
    return user


def cseq(text: str) -> tuple[int, str]:
    """Take a CSeq apart: number and method; raises ValueError."""
    if not text.isascii():
        raise ValueError("cseq")
    found = _parsed(sipmessage().CSeq.parse, text)
    return found.sequence, found.method


def _parsed(parse: Callable[[str], T], text: str) -> T:
    """Return what the library makes of a text that is no danger to it; raises ValueError and nothing else."""
    if len(text) > MAX_VALUE or _LONG_TEL.search(text):
        raise ValueError("too long")
    try:
        return parse(text)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(type(error).__name__) from error
