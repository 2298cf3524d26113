"""How a lane is restored: by how often its takeovers led nowhere. Pure."""

from __future__ import annotations

from enum import StrEnum


class Restore(StrEnum):
    """How a lane is restored, by how often that failed."""

    REPLAY = "replay"
    """All its sessions, with the audio of the utterance under way."""
    ONE_BY_ONE = "one_by_one"
    """One session after another, without that audio. Each is noted first: the last noted at a crash is the suspect."""
    END_SUSPECT = "end_suspect"
    """The suspect ends as ``pipeline_error``; the rest go on."""


_RESTORES = (Restore.REPLAY, Restore.REPLAY, Restore.ONE_BY_ONE)
"""By number of the takeover without progress; beyond: ``END_SUSPECT``."""


def poison(takeovers: int) -> Restore:
    """Return how to restore a lane at its ``takeovers``-th takeover without progress, counted from 1."""
    return _RESTORES[takeovers] if takeovers < len(_RESTORES) else Restore.END_SUSPECT
