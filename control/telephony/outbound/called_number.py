"""Whether a number may be called at all: one that exists, and neither for emergencies nor for extra money. Pure."""

from __future__ import annotations

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from voicebackend.errors import InvalidConfig

_DEAR = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})


def check_called(number: str, *, field: str = "to") -> None:
    """Return if a number (E.164) may be called.

    Raises:
        InvalidConfig: it may not; the details name the field, never the number.

    """
    reason = _reason(number)
    if reason:
        raise InvalidConfig("create_call", f"{field}: {reason}", details={"field": field})


def _reason(number: str) -> str:
    """Return why a number may not be called, empty if it may."""
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return "not a telephone number in international form"
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    national = str(parsed.national_number)
    if phonenumbers.is_emergency_number(national, region) or phonenumbers.is_emergency_number(number, region):
        return "emergency numbers are never called: only people may"
    if not phonenumbers.is_valid_number(parsed):
        return "no such number can exist"
    if phonenumbers.number_type(parsed) in _DEAR:
        return "numbers that cost extra are not called"
    return ""
