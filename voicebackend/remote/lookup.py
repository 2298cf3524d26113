"""From what a configuration names to an object that can be called: here, by import, or in another process."""

from __future__ import annotations

from typing import Any

from voicebackend._importer import load
from voicebackend.errors import InvalidConfig
from voicebackend.remote.calls import PREFIX, Reference
from voicebackend.remote.part_proxies import PART_PROXIES
from voicebackend.remote.proxies import PROXIES
from voicebackend.remote.remote import Remote

_PROXIES = {**PROXIES, **PART_PROXIES}
_used: list[Remote] = []


def use(remote: Remote) -> None:
    """Make this the process's caller: for code that runs in tasks and is handed nothing."""
    _used[:] = [remote]


def current() -> Remote | None:
    """Return the process's caller, None outside the embedded library."""
    return _used[-1] if _used else None


def resolve(target: Any, *, field: str, remote: Remote | None) -> Any:
    """Return the object itself, what ``"module:attr"`` names, or a stand-in for an object of another process.

    A class is instantiated, so that a hook can be named by its class.

    Raises:
        InvalidConfig: there is no such object, or none of other processes can be called here.

    """
    if not (isinstance(target, str) and target.startswith(PREFIX)):
        found = load(target, field=field)
        return found() if isinstance(found, type) else found
    if remote is None:
        message = f"{field}: objects of another process can only be called in the embedded library"
        raise InvalidConfig("remote", message, details={"field": field})
    try:
        proxy = _PROXIES[field]
    except KeyError:
        message = f"{field}: give it as 'module:attr'; an object of this kind cannot be called from another process"
        raise InvalidConfig("remote", message, details={"field": field}) from None
    return proxy(remote, Reference.parse(target, field=field))
