"""JSON that strangers wrote: an object in which a name stands twice is refused, and text that no UTF-8 can carry on.

Of such a name, whoever looked at it before us, a proxy or a signer, may have seen the other value.
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
        ValueError: it is not JSON, or has half a surrogate pair.
        RecursionError: it is nested too deeply.

    """
    try:
        written = text if isinstance(text, str) else text.decode()
        found = _DECODER.decode(written)
        if HALF.search(written):
            json.dumps(found, ensure_ascii=False).encode()
    except _Repeated as error:
        raise InvalidFormat(op, "a name stands twice in a JSON object") from error
    return found
