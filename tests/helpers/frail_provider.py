"""A provider whose vendor can be switched off: its check asks for a file. Found by workers through an entry point."""

from __future__ import annotations

import os
from pathlib import Path

from providers.mock.provider import MockProvider
from voicebackend.errors import ConnectionFailed

SWITCH = "FRAIL_PROVIDER_SWITCH"
"""The environment variable that names the file; while it is there, the vendor answers."""


class FrailProvider(MockProvider):
    """The mock, at a vendor's mercy."""

    name = "frail"

    async def check(self) -> None:
        """Ask the vendor."""
        if not Path(os.environ[SWITCH]).exists():  # noqa: ASYNC240 - a test, and a single look
            raise ConnectionFailed("check", "nobody answers")


def install(folder: Path) -> None:
    """Write a distribution with the entry point, for a folder on Python's path."""
    about = folder / "frail_provider-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: frail-provider\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[voicebackend.provider]\nfrail = frail_provider:FrailProvider\n")
