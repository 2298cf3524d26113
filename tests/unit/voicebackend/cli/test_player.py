"""The loudspeaker that keeps the time."""

from __future__ import annotations

import pytest

from voicebackend.cli.player import Player

FRAME = bytes([1, 0]) * 160
"""20 ms at 8 kHz."""


def player_with(*pushes: float) -> Player:
    """Return a player that got a frame of turn 1 at each of these seconds."""
    player = Player(8000)
    for now in pushes:
        player.push(now, 1, FRAME)
    return player


def samples(player: Player, start: float, end: float) -> list[int]:
    """Return how many of each 20 ms are heard."""
    track = player.render(start, end)
    return [track[at : at + len(FRAME)].count(1) for at in range(0, len(track), len(FRAME))]


def test_frames_that_come_early_are_played_back_to_back() -> None:
    """Audio ahead of time waits; it runs dry when the last is over."""
    player = player_with(1.0, 1.0, 1.01)
    assert samples(player, 1.0, 1.08) == [160, 160, 160, 0]
    assert player.dry_s(1.05) == 0
    assert player.dry_s(1.16) == pytest.approx(0.1)
    assert player.seconds == pytest.approx(0.06)
    assert player.late == 0


def test_a_frame_is_late_when_playback_was_dry_for_longer_than_20_ms() -> None:
    """A small gap is not counted, a larger one is, once; a new turn is never late."""
    assert player_with(1.0, 1.035).late == 0
    assert player_with(1.0, 1.045, 1.045).late == 1
    player = player_with(1.0)
    player.end_turn(1)
    player.push(3.0, 2, FRAME)
    assert player.late == 0


def test_clear_drops_what_is_not_yet_heard() -> None:
    """A frame that is playing is cut; the next turn begins at once."""
    player = player_with(1.0, 1.0, 1.0)
    player.clear(1.03)
    assert samples(player, 1.0, 1.06) == [160, 80, 0]
    player.push(1.04, 2, FRAME)
    assert samples(player, 1.0, 1.06) == [160, 80, 160]
    assert player.turn_pcm(1) == FRAME + FRAME[:160]


def test_pause_and_resume_shift_what_remains() -> None:
    """While held nothing is heard and nothing is dry; then it goes on where it was."""
    player = player_with(1.0, 1.0)
    player.pause(1.02)
    player.push(1.03, 1, FRAME)
    assert player.dry_s(5.0) == 0
    player.resume(1.06)
    assert samples(player, 1.0, 1.1) == [160, 0, 0, 160, 160]
    assert player.late == 0


def test_clear_while_held_drops_all_that_was_held() -> None:
    """What was heard before the pause stays."""
    player = player_with(1.0, 1.0)
    player.pause(1.02)
    player.clear(1.5)
    assert samples(player, 1.0, 1.04) == [160, 0]
    assert player.dry_s(1.6) == pytest.approx(0.58)
