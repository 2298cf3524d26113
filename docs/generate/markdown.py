"""Markdown that is written by programs, and what a class's source says of its fields."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; bars and line ends within cells are made harmless."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def code(text: object) -> str:
    """Return text as code, or nothing for no text."""
    return f"`{text}`" if str(text) else ""


def prose(docstring: str | None) -> str:
    """Return the first paragraph of a docstring as Markdown: RST's doubled backticks and roles become plain code."""
    text = inspect.cleandoc(docstring or "").split("\n\n")[0]
    return text.replace(":func:", "").replace(":class:", "").replace("``", "`")


def field_notes(cls: type) -> dict[str, str]:
    """Return the string below each field of a class and its bases, which is what Python has for field docstrings."""
    notes: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("voicebackend") or base.__module__.startswith("control"):
            notes.update(_own_notes(base))
    return notes


def _own_notes(cls: type) -> dict[str, str]:
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        field.target.id: prose(note.value.value)
        for field, note in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant) and isinstance(note.value.value, str)
    }
