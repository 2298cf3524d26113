"""YAML that somebody wrote: whatever is wrong with it is a ``YAMLError``, and nothing in it ends the process.

PyYAML raises errors of all kinds for values that look like dates, numbers or tags and are none; and its fast loader
goes down with the process where a text is nested deeply enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from yaml import SafeLoader as Loader
else:
    Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 64
"""Lists and mappings in one another."""
_RAISED = (ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RecursionError)
"""By PyYAML, for ``2001-99-99``, ``!!bool maybe``, a number of 5,000 digits and the like."""


class _Bounded(Loader):
    """The safe loader, which counts how deep it is: both methods are called around every node."""

    _depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        del current_node, current_index  # of use only to path resolvers, of which we have none
        self._depth += 1
        if self._depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} deep"
            raise yaml.YAMLError(message)

    def ascend_resolver(self) -> None:
        self._depth -= 1


def load_yaml(text: str) -> Any:
    """Return what a text says; raises yaml.YAMLError and nothing else."""
    try:
        return yaml.load(text, Loader=_Bounded)  # noqa: S506 - it is a safe loader
    except _RAISED as error:
        raise yaml.YAMLError(type(error).__name__) from error


def compose_yaml(text: str) -> yaml.Node | None:
    """Return a text's nodes, which know their lines; raises yaml.YAMLError and nothing else."""
    try:
        return yaml.compose(text, Loader=_Bounded)
    except _RAISED as error:
        raise yaml.YAMLError(type(error).__name__) from error
