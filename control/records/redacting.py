"""Documents without what tells who somebody is. Where that cannot be done, or not in time, nothing is kept."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from control.records.data_class import DataClass
from control.redaction.recogniser import REGIONS, Recogniser, check
from control.redaction.redactor import Redactor

logger = logging.getLogger(__name__)

_OURS = frozenset(
    (
        *("session", "began", "ended", "version", "id", "type", "role", "state", "reason", "language", "provider"),
        *("transport", "pipeline_type", "persistence_status", "agent", "worker", "currency"),
    )
)
"""Fields of a document, and of its parts, that no caller and no tool has a word in."""
_PARTS = frozenset(("calls", "events", "turns", "takeovers"))
"""A document's own lists; below any other name stands what an application or a tool said, under names of theirs."""
_SPOKEN = ("text", "unheard")
"""What was said in a segment of a transcript, in its order."""
_TIMED = ("words", "clauses")
"""The same again, word by word: left out of a segment in which something was found."""
_LONG = 10**8
"""Whole numbers from here on are looked at as text: a card may be one; milliseconds of a call are less."""
_USER = "[user]"


class RedactionSettings(BaseModel):
    """How texts are redacted, in the file that ``VOICEBACKEND_RETENTION`` names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: str | None = None
    """A spaCy pipeline that knows persons, by its package or folder; without one, names stay."""
    regions: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...], Field(min_length=1)] = REGIONS
    """Countries whose telephone numbers are found without the country's code."""


class Redaction:
    """Redacts documents in a thread of its own, one after the other; the recogniser is loaded by the first."""

    def __init__(self, settings: RedactionSettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="redaction")
        self._recogniser: Recogniser | None = None

    def check(self) -> None:
        """Raise InvalidConfig if the package, or the pipeline for names, is not installed; nothing is loaded."""
        check(self._settings.names)

    async def document(self, kind: DataClass, data: bytes, *, session: str) -> bytes | None:
        """Return a session's document redacted, and marked so; None if that failed: then it must not be kept."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._redacted, kind, data)
        except Exception as error:  # noqa: BLE001 - whatever a library raises: its words may be the caller's
            lost = {"session_id": session, "class": kind.value, "error": type(error).__name__}
            logger.error("not redacted, so not kept", extra=lost)  # noqa: TRY400 - without what was said
            return None

    def _redacted(self, kind: DataClass, data: bytes) -> bytes:
        if self._recogniser is None:
            self._recogniser = Recogniser(names=self._settings.names, regions=self._settings.regions)
        return redacted(kind, data, Redactor(self._recogniser))


def redacted(kind: DataClass, data: bytes, redactor: Redactor) -> bytes:
    """Return a document redacted, with ``redacted``: by what, and how often what was found; raises TooMuch."""
    body = json.loads(data)
    if kind is DataClass.TRANSCRIPT:
        _redact_segments(body["segments"], redactor)
    else:
        body = _walked(body, lambda text: redactor.texts([text])[0])
        if "user_id" in body:
            body["user_id"] = _USER
    body["redacted"] = {"by": redactor.name, "found": {label.value: count for label, count in redactor.found.items()}}
    return json.dumps(body, ensure_ascii=False, indent=1).encode()


def _redact_segments(segments: list[dict[str, Any]], redactor: Redactor) -> None:
    """Redact what each side said as one text: a number goes on in the next sentence."""
    for role in {segment["role"] for segment in segments}:
        said = [(one, name) for one in segments if one["role"] == role for name in _SPOKEN if one.get(name)]
        for (segment, name), text in zip(said, redactor.texts([one[name] for one, name in said]), strict=True):
            if text != segment[name]:
                segment[name] = text
                for timed in _TIMED:
                    segment.pop(timed, None)


def _walked(value: Any, redact: Callable[[str], str], *, ours: bool = True) -> Any:
    """Return a value redacted; ``ours`` tells whether names in it are those of our own documents."""
    match value:
        case str():
            return redact(value)
        case int() if not isinstance(value, bool) and abs(value) >= _LONG:
            text = redact(str(value))
            return value if text == str(value) else text
        case list():
            return [_walked(item, redact, ours=ours) for item in value]
        case Mapping():
            return {
                redact(name): item
                if ours and name in _OURS and not isinstance(item, list | Mapping)
                else _walked(item, redact, ours=ours and name in _PARTS)
                for name, item in value.items()
            }
        case _:
            return value
