"""The console's files, read once, with the headers under which a browser loads nothing from elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""A stranger's script could read the key of the tab: none is let in. A page may listen to the microphone, if asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A file as it is served."""

    body: bytes
    content_type: str
    etag: str
    """Changes with the body."""


@cache
def pages() -> dict[str, Page]:
    """Return every file by its name."""
    return {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}


def _read(path: Path) -> Page:
    body = path.read_bytes()
    return Page(body=body, content_type=_TYPES[path.suffix], etag=hashlib.sha256(body).hexdigest()[:16])
