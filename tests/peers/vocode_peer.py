"""A real Vocode server, in an environment of its own."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from environment import environment, missing
from process import serving

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ("vocode==0.1.113",)
TOO_NEW = (3, 13)
"""The first Python without ``audioop``, which Vocode imports."""


@asynccontextmanager
async def vocode(*args: str) -> AsyncIterator[str]:
    """Run the server; give the address of its websocket."""
    if sys.version_info >= TOO_NEW:
        missing("vocode", "it needs Python 3.12 or older")
    python = await asyncio.to_thread(environment, "vocode", REQUIREMENTS)
    with tempfile.TemporaryDirectory() as nltk:
        (Path(nltk) / "tokenizers" / "punkt").mkdir(parents=True)  # else it is downloaded
        variables = {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'doubles'}",
            "NLTK_DATA": nltk,
            "REDISHOST": "127.0.0.1",
            "REDISPORT": "1",  # nobody there: speech is not kept
        }
        async with serving(python, "vocode_server.py", *args, variables=variables) as port:
            yield f"ws://127.0.0.1:{port}/conversation"
