"""A development key, for a deployment that has none: made at the start, kept in a private file, gone at the end."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "dev.json"
"""Name of the file in the deployment's home: ``{"url", "api_key", "pid"}``, readable by its owner only."""

PREFIX = "vk_dev_"
"""What every development key starts with."""


def make_key() -> str:
    """Return a new development key."""
    return f"{PREFIX}{secrets.token_urlsafe(24)}"


@contextmanager
def published(home: Path, url: str, api_key: str) -> Iterator[Path]:
    """Let programs of the same user find this process; yields the file's path."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, fresh = home / FILE, home / f".{FILE}.{os.getpid()}"
    said = json.dumps({"url": url, "api_key": api_key, "pid": os.getpid()})
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(said)
    fresh.replace(path)
    try:
        yield path
    finally:
        if path.exists() and path.read_text() == said:  # another process may have written its own since
            path.unlink()
