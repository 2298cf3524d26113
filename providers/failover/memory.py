"""What was said in a conversation with a speech-to-speech model, for the next one to go on from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicebackend.agents import HistoryEntry

MAX_ENTRIES = 200
"""Things said that are remembered."""


@dataclass(slots=True)
class Said:
    """What the model said in one answer, and how much of it was heard."""

    text: str = ""
    made_ms: float = 0.0
    cut_ms: float | None = None
    """Milliseconds that were played before the caller cut it off."""
    told: str = ""
    """What was heard of it, where the model says so itself."""
    later: str = ""
    """Was heard beyond ``text``, as was told after it had been cut off."""

    @property
    def interrupted(self) -> bool:
        """Whether some of it was not heard."""
        return self.cut_ms is not None and self.cut_ms < self.made_ms

    @property
    def heard(self) -> str:
        """Return what was heard of it: by whole words, as many as fit the share that was played."""
        if self.told:
            return self.told.strip()
        if self.cut_ms is None or not self.interrupted:
            return self.text.strip()
        if self.later:
            return f"{self.text.strip()} {self.later}".lstrip()
        part = self.text[: int(len(self.text) * self.cut_ms / self.made_ms)]
        whole = part if self.text[len(part) : len(part) + 1].isspace() else part.rpartition(" ")[0]
        return whole.strip()


class Memory:
    """One session's, oldest first."""

    def __init__(self, history: Sequence[HistoryEntry]) -> None:
        self._entries: list[HistoryEntry | Said] = list(history)
        self._turn = max((entry.turn for entry in history), default=0)
        self._spoken_over: Said | None = None
        self.unanswered = ""
        """What the caller said last, if the model has not begun to answer it."""

    @property
    def last(self) -> Said | None:
        """The model's last answer, if it gave one."""
        return next((entry for entry in reversed(self._entries) if isinstance(entry, Said)), None)

    def entries(self) -> list[HistoryEntry]:
        """Return what a new model is to know; what is not answered yet is left out, for that is said to it."""
        known = self._entries[:-1] if self.unanswered else self._entries
        found: list[HistoryEntry] = []
        for entry in known:
            if isinstance(entry, HistoryEntry):
                found.append(entry)
            elif entry.heard:
                turn = found[-1].turn if found else 0
                found.append(HistoryEntry(role="agent", text=entry.heard, turn=turn, interrupted=entry.interrupted))
        return found

    def understood(self, text: str, *, answered: bool) -> None:
        """Note what the caller said; ``answered``: the model has begun to answer it already."""
        self._turn += 1
        entry = HistoryEntry(role="user", text=text, turn=self._turn)
        self._entries.insert(len(self._entries) - answered, entry)
        self.unanswered = "" if answered else text
        del self._entries[:-MAX_ENTRIES]

    def begins(self) -> Said:
        """Note that the model begins an answer, which grows."""
        self.unanswered = ""
        said = Said()
        self._entries.append(said)
        return said

    def told(self, text: str) -> None:
        """Note more of what was heard of an answer that was cut off, as the model tells."""
        cut = [entry for entry in self._entries if isinstance(entry, Said) and entry.cut_ms is not None]
        if cut:
            cut[-1].told += text

    def takes_back(self) -> None:
        """Forget the answer that was begun last: nothing of it was heard, so it is still to be given."""
        self._entries.pop()
        last = self._entries[-1] if self._entries else None
        self.unanswered = last.text if isinstance(last, HistoryEntry) and last.role == "user" else ""

    def spoken_over(self) -> None:
        """Note that the caller begins to speak: what was said last may be cut off."""
        self._spoken_over = self.last

    def cut(self, played_ms: float) -> None:
        """Note how much was heard of what the caller spoke over, or else of what was said last."""
        said, self._spoken_over = self._spoken_over or self.last, None
        if said is not None:
            said.cut_ms = played_ms

    def heard_later(self, text: str) -> None:
        """Note what else was heard of what was cut off last."""
        cut = (entry for entry in reversed(self._entries) if isinstance(entry, Said) and entry.cut_ms is not None)
        if (said := next(cut, None)) is not None:
            said.later = f"{said.later} {text.strip()}".lstrip()
