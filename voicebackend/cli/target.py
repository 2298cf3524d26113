"""Which backend the command line talks to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from voicebackend.errors import ConnectionFailed, InvalidConfig

CONTROL_URL, API_KEY = "VOICEBACKEND_CONTROL_URL", "VOICEBACKEND_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where control is, and a key that it accepts."""

    url: str
    api_key: str = field(repr=False)


def find_target(url: str | None, api_key: str | None, home: Path) -> Target:
    """Return what the options say, else the environment, else the ``voicebackend up`` of this user.

    Raises:
        InvalidConfig: an address without a key.
        ConnectionFailed: none of them says anything.

    """
    url = url or os.environ.get(CONTROL_URL)
    api_key = api_key or os.environ.get(API_KEY)
    local = _local(home)
    if url and not api_key and local and local.url == url.rstrip("/"):
        return local
    if url and not api_key:
        raise InvalidConfig("target", f"give --api-key or {API_KEY} for {url}", details={"field": "api_key"})
    if url and api_key:
        return Target(url=url, api_key=api_key)
    if local is None:
        message = "no backend was found: start one with 'voicebackend up', or give --url and --api-key"
        message += f" ({CONTROL_URL} and {API_KEY})"
        raise ConnectionFailed("target", message)
    return local


def _local(home: Path) -> Target | None:
    """Return what a running ``up`` has told, if that is still there."""
    try:
        told = json.loads((home / "dev.json").read_text(encoding="utf-8"))
        os.kill(told["pid"], 0)
        return Target(url=told["url"], api_key=told["api_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
