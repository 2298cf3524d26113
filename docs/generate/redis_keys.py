"""Every key in Redis, by the method that names it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from generate.markdown import code, prose, table
from voicebackend.keys import Keys

_HASHED = re.compile(r"\b[0-9a-f]{16,}\b")
"""What is long, or tells who somebody is, stands in a key by its hash."""


def page() -> str:
    """Return the table of keys; what stands in braces is a Cluster's hash tag."""
    return table(["key", "role", "what"], sorted(_rows()))


def _rows() -> Iterator[tuple[str, ...]]:
    keys = Keys()
    for name, method in inspect.getmembers(keys, inspect.ismethod):
        if name.startswith("_") or inspect.signature(method).return_annotation != "str":
            continue
        arguments = list(inspect.signature(method).parameters)
        made = _HASHED.sub(f"<hash of {arguments[-1]}>" if arguments else "", method(*map(_Placeholder, arguments)))
        about = prose(method.__doc__)
        role = about.split("``")[0].split("`")[1] if about.startswith("In `") else "state"
        yield code(made), role, about.removeprefix(f"In `{role}`: ")


class _Placeholder(str):
    """Stands in a key for any value: its name, in angle brackets."""

    __slots__ = ()

    def __new__(cls, name: str) -> _Placeholder:
        return super().__new__(cls, f"<{name}>")
