"""Turn ``"module:attr"`` into the object it names."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from voicebackend.errors import InvalidConfig


def load(target: Any, *, field: str) -> Any:
    """Return the object that ``"module:attr"`` names, or ``target`` itself if it is no string.

    ``field`` is named in the error. An import error inside the user's own module is not masked.
    """
    if not isinstance(target, str):
        return target
    module_name, _, path = target.partition(":")
    if not module_name or not path:
        raise InvalidConfig(
            "load", f'{field}: "{target}" is not of the form "module:attribute"', details={"field": field}
        )
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise InvalidConfig("load", f"{field}: there is no module {module_name!r}", details={"field": field}) from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            message = f"{field}: module {module_name!r} has no {path!r}"
            raise InvalidConfig("load", message, details={"field": field}) from error
    return found
