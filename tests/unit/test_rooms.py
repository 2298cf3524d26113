"""A room's name has its session's id in it, and no other room is taken for one of ours."""

from __future__ import annotations

import pytest

from voicebackend.rooms import ROOM_NAME, room_of, session_in

SESSION = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("template", [ROOM_NAME, "{session_id}", "a{session_id}b"])
def test_a_session_is_found_by_its_room(template: str) -> None:
    """There and back."""
    assert session_in(template, room_of(template, SESSION)) == SESSION


@pytest.mark.parametrize(
    "room", ["", "room-", "room-1", f"room-{SESSION}x", f"xroom-{SESSION}", f"room-{SESSION.upper()}"]
)
def test_other_rooms_are_none_of_ours(room: str) -> None:
    """A server may have rooms of other applications."""
    assert session_in(ROOM_NAME, room) is None
