"""What the fields of a webhook may be: a call's id has one form, names come once, what callers say is short. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from voicebackend.errors import InvalidFormat

UUID = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
"""Of a call; some are written without the dashes."""
MAX_SAID = 128
"""Characters of what signalling says of who calls or is called."""
MAX_HEADERS = 32
"""SIP headers of a call; more are left out."""
MAX_HEADER_BYTES = 256
"""Of a SIP header's value as JSON; a longer one is left out, no route matches it."""
_HEADER = re.compile(r"[a-z0-9-]{1,64}")


def once(form: Sequence[tuple[str, str]], names: Iterable[str], carrier: str) -> dict[str, str]:
    """Return a form in which each of these names comes at most once.

    Raises:
        InvalidFormat: one comes again. Signatures cover names and values in a row, so a form can be cut anew.

    """
    count = Counter(name for name, _ in form)
    for name in names:
        if count[name] > 1:
            raise InvalidFormat("incoming_call", f"{carrier}: {name} is there more than once")
    return dict(form)


def call_id(found: object, pattern: str, name: str, carrier: str) -> str:
    """Return a call's id if all of it has the carrier's form.

    Raises:
        InvalidFormat: it is missing, or has not.

    """
    if not isinstance(found, str) or re.fullmatch(pattern, found) is None:
        raise InvalidFormat("incoming_call", f"{carrier}: {name} is missing, or not the id of a call")
    return found


def said(text: object) -> str:
    """Return what signalling says of a party: ``MAX_SAID`` characters of it that can be encoded; empty for None."""
    return str(text or "")[:MAX_SAID].encode("utf-8", "replace").decode()


def sip_headers(fields: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the SIP headers among fields, names without the prefix and in small letters, within bounds."""
    found: dict[str, str] = {}
    for field, value in fields.items():
        name = field.removeprefix(prefix).lower()
        fits = field.startswith(prefix) and _HEADER.fullmatch(name) and len(json.dumps(value)) <= MAX_HEADER_BYTES
        if fits and len(found) < MAX_HEADERS:
            found[name] = value
    return found
