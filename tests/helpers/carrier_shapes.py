"""The exact messages of carriers' media streams, both ways, as ``tests/data/telephony`` has them: to fill, to match.

In a shape ``$name`` stands for a text and ``#name``, alone, for a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicebackend.codecs import Encoding

FOLDER = Path(__file__).parents[1] / "data" / "telephony"
CARRIERS = tuple(sorted(path.stem for path in FOLDER.glob("*.jsonl")))
_GAP = re.compile(r"\$(\w+)")


@dataclass(frozen=True, slots=True)
class Shapes:
    """One carrier's: what it sends (``begin``, ``media``, ``key`` ...), what it takes (``play``, ``mark``, ``clear``).

    Without a ``media`` and a ``play`` audio is binary.
    """

    form: Mapping[str, Any]
    """How audio is encoded, in which pieces it is taken, and what the carrier does of its own accord."""
    lines: tuple[tuple[str, Any], ...]

    @property
    def encoding(self) -> Encoding:
        """Of audio, both ways."""
        return Encoding(self.form["encoding"])

    def made(self, what: str, **values: object) -> list[str]:
        """Return the messages of this kind, filled."""
        return [json.dumps(_filled(shape, values)) for kind, shape in self.lines if kind == what]

    def read(self, message: str) -> tuple[str, dict[str, str]]:
        """Return what a message of ours is, and what fills it; AssertionError for what a carrier would not know."""
        told = json.loads(message)
        for kind, shape in self.lines:
            if kind in {"play", "mark", "clear"} and (found := _matched(shape, told)) is not None:
                return kind, found
        raise AssertionError(message)


def shapes(carrier: str) -> Shapes:
    """Return a carrier's."""
    first, *rest = map(json.loads, (FOLDER / f"{carrier}.jsonl").read_text().splitlines())
    return Shapes(first, tuple((line["when"], line["message"]) for line in rest))


def _filled(shape: Any, values: Mapping[str, object]) -> Any:
    if isinstance(shape, dict):
        return {key: _filled(value, values) for key, value in shape.items()}
    if isinstance(shape, str) and shape.startswith("#"):
        return values[shape[1:]]
    return _GAP.sub(lambda gap: str(values[gap[1]]), shape) if isinstance(shape, str) else shape


def _matched(shape: Any, told: Any) -> dict[str, str] | None:
    """Return what fills a shape, None if the message is of another: every key counts, none may be added."""
    if isinstance(shape, str) and shape.startswith("$"):
        return {shape[1:]: told} if isinstance(told, str) else None
    if not isinstance(shape, dict) or not isinstance(told, dict):
        return {} if (type(shape), shape) == (type(told), told) else None
    if shape.keys() != told.keys():
        return None
    found: dict[str, str] = {}
    for key, inner in shape.items():
        part = _matched(inner, told[key])
        if part is None:
            return None
        found |= part
    return found
