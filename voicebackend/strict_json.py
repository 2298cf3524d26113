"""JSON that strangers wrote: an object in which a name stands twice is refused.

Whoever looked at it before us, a proxy or a signer, may have seen the other value.
"""

from __future__ import annotations

import json
import re
from json import JSONDecoder
from typing import Any

from voicebackend.errors import InvalidFormat


class _Repeated(ValueError):
    """A name stands twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeated
    return found


HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""Begins the escape of each half of a surrogate pair, and of whole pairs."""
_DECODER = JSONDecoder(object_pairs_hook=_object)


def read_json(text: str | bytes, *, op: str) -> Any:
    """Return what a text says; bytes are UTF-8.

    Raises:
        InvalidFormat: a name stands twice in an object, at any depth; it is a stranger's word and not told.
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.

    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except _Repeated as error:
        raise InvalidFormat(op, "a name stands twice in a JSON object") from error


def read_message(text: str | bytes, *, op: str) -> Any:
    """Return what a text says whose words are carried on as they are: half a surrogate pair is no JSON either.

    Raises:
        InvalidFormat, ValueError, RecursionError: as ``read_json``; ValueError also for text that no UTF-8 can carry.

    """
    found = read_json(text, op=op)
    if HALF.search(text if isinstance(text, str) else text.decode()):
        json.dumps(found, ensure_ascii=False).encode()
    return found
