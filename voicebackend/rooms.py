"""What a session's room and its caller are called, where callers come by WebRTC. Pure."""

from __future__ import annotations

import re

SESSION = "{session_id}"
"""Stands for the session's id in a room's name."""
CALLER = "caller"
"""The identity of the caller whom we invited; of two with the same, the newer stays."""
ROOM_NAME = f"room-{SESSION}"
_ID = re.compile(r"[0-9a-f]{32}")


def room_of(template: str, session: str) -> str:
    """Return the name of a session's room."""
    return template.replace(SESSION, session)


def session_in(template: str, room: str) -> str | None:
    """Return the session whose room is called so; None for a room that is none of ours."""
    before, _, after = template.partition(SESSION)
    if not (room.startswith(before) and room.endswith(after)):
        return None
    session = room[len(before) : len(room) - len(after)]
    return session if _ID.fullmatch(session) else None
