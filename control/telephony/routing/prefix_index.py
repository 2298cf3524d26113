"""Things filed under prefixes of two numbers, found again with the longest first. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from control.telephony.routing.table import ANONYMOUS

T = TypeVar("T")

_WHOLE = "="
"""Before a number that must fit as a whole: such a one goes before every prefix."""


class PrefixIndex(Generic[T]):
    """A look-up costs as many steps as a number has digits, however much is filed."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, list[T]]] = {}

    def file(self, called: str, caller: str, item: T) -> None:
        """File an item under patterns as the table writes them."""
        self._found.setdefault(_key(called), {}).setdefault(_key(caller), []).append(item)

    def find(self, called: str, caller: str) -> Iterator[T]:
        """Yield what is filed under prefixes of these E.164 numbers: longest called first, then longest caller.

        An empty number is that of someone who withholds it: it fits ``*``, and as a caller's ``anonymous``.
        """
        callers = [*_keys(caller)]
        for key in _keys(called):
            filed = self._found.get(key)
            if filed is not None:
                for under in callers:
                    yield from filed.get(under, ())

    def lists(self) -> Iterator[list[T]]:
        """Yield what is filed under the same patterns, each list in the order of filing."""
        for filed in self._found.values():
            yield from filed.values()


def _key(pattern: str) -> str:
    if pattern == ANONYMOUS:
        return _WHOLE
    return pattern[:-1] if pattern.endswith("*") else _WHOLE + pattern


def _keys(number: str) -> Iterator[str]:
    yield _WHOLE + number
    for length in range(len(number), 0, -1):
        yield number[:length]
    yield ""
