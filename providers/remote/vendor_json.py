"""JSON as vendors send it: text that is cut within a character is mended, for no UTF-8 can carry it on.

JavaScript counts an emoji as two characters and can cut between them; JSON writes each half as an escape.
"""

from __future__ import annotations

import json
from typing import Any

from voicebackend.strict_json import HALF


def read_json(text: str) -> Any:
    """Return what a text says; half a character becomes a question mark.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.

    """
    found = json.loads(text)
    if not HALF.search(text):
        return found
    return json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
