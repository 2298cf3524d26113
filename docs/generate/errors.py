"""Every error: code, class, HTTP status, close code."""

from __future__ import annotations

from generate.markdown import code, prose, table
from voicebackend.errors import ERRORS, HTTP_STATUS
from voicebackend.events import CLOSE_CODES, CloseCode


def page() -> str:
    """Return the table of error codes."""
    rows = [
        (
            code(each),
            code(cls.__name__),
            HTTP_STATUS[each],
            int(CLOSE_CODES.get(each, CloseCode.INTERNAL)),
            "yes" if cls.retryable else "",
            prose(cls.__doc__),
        )
        for each, cls in ERRORS.items()
    ]
    return table(["code", "class", "HTTP", "socket closes", "retry", "what it says"], rows)
