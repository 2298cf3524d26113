"""How a person is named: telephone numbers in E.164 however they are written, all else as it is. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from voicebackend.errors import InvalidConfig
from voicebackend.record import WITHHELD, SessionRecord

_WRITTEN = re.compile(r"(?:tel:|sips?:)?(\+?[\d\s().\-/\u2010-\u2015\u00a0]{3,40})(?:[@;].*)?", re.IGNORECASE)
KNOWN = 4096
"""Numbers that are remembered as they were read."""


@lru_cache(maxsize=KNOWN)
def e164(text: str, region: str = "") -> str:
    """Return the number that a text is, as ``+`` and digits; empty if it is none.

    Without a ``region`` (two letters, as US), in which it would be dialled, only what begins with ``+`` is a number.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or not (region or found[1].startswith("+")):
        return ""
    try:
        parsed = phonenumbers.parse(found[1], region or None)
    except NumberParseException:
        return ""
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164) if phonenumbers.is_possible_number(parsed) else ""


def meant(text: str, region: str | None) -> str:
    """Return who is meant: a number where it begins with ``+``, or where a region says that it is one; else a user id.

    Raises:
        InvalidConfig: there is a region, and it is no number there.

    """
    number = e164(text, region or "")
    if region and not number:
        raise InvalidConfig("subject", f"subject: no telephone number of {region}", details={"field": "subject"})
    return number or text


def is_somebody(user_id: str) -> bool:
    """Tell whether a user id says who it is: callers who withhold their number are strangers to each other."""
    return user_id not in {"", WITHHELD}


def names_of(record: SessionRecord) -> tuple[str, ...]:
    """Return who a session is about: its user, and the numbers that its call was told with, also in E.164."""
    told = record.metadata.get("said")
    said = told if isinstance(told, dict) else {}
    found = (record.user_id, said.get("caller"), said.get("number"), record.metadata.get("to"))
    names = [name for name in found if isinstance(name, str)]
    return tuple(dict.fromkeys(name for one in names for name in (one, e164(one)) if name))
