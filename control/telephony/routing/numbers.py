"""Telephone numbers in one form, E.164; what is no number, and what nobody may route, is told before that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

MAX_LENGTH = 64
"""Characters of what is taken for a number at all."""

KNOWN = 4096
"""Numbers that are remembered as they were read: those of a deployment are dialled again and again."""

_SIP = re.compile(r"sips?:([^@]*)@.*", re.IGNORECASE | re.DOTALL)


class NumberKind(StrEnum):
    """What a number is."""

    NUMBER = "number"
    """One that may exist."""
    PREMIUM = "premium"
    """One that costs whoever calls it extra."""
    EMERGENCY = "emergency"
    """One that only people may answer."""
    ANONYMOUS = "anonymous"
    """Withheld, or no number."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as routing knows it."""

    e164: str
    """``+`` and digits; empty if it is none."""
    kind: NumberKind


ANONYMOUS = Number("", NumberKind.ANONYMOUS)
_OTHER = re.compile(r"(^|;)(phone-context|ext|isub)=", re.IGNORECASE)
"""Parameters that make another number of it."""


@lru_cache(maxsize=KNOWN)
def normalised(text: str | None, region: str) -> Number:
    """Return the number that a carrier told, read as somebody in ``region`` (two letters) would dial it.

    Of a SIP address, the user part is taken.
    Emergency numbers are looked for before anything is made of them: 911 in the US would become +1911. A caller's
    number can be forged: it is a hint, and never says who somebody is.
    """
    text = (text or "").strip()
    if address := _SIP.fullmatch(text):
        text = address[1]  # the digits of a host are no number
    if not text or len(text) > MAX_LENGTH:
        return ANONYMOUS
    text, _, parameters = text.partition(";")  # of a URI: most say nothing of which number it is
    if phonenumbers.is_emergency_number(text, region):
        return Number("", NumberKind.EMERGENCY)
    if _OTHER.search(parameters):
        return ANONYMOUS
    try:
        parsed = phonenumbers.parse(text, region)
    except NumberParseException:
        return ANONYMOUS
    if parsed.extension or not phonenumbers.is_possible_number(parsed):
        return ANONYMOUS
    premium = phonenumbers.number_type(parsed) in {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST}
    kind = NumberKind.PREMIUM if premium else NumberKind.NUMBER
    return Number(phonenumbers.format_number(parsed, PhoneNumberFormat.E164), kind)
