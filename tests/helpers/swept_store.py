"""An index and a store, and what a test says of them."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from control.records.entry import Entry
from control.records.holds import Holds
from control.records.index import Index
from control.records.objects import Objects
from control.records.paths import id_of
from control.records.receipt import Head, Receipt, broken
from control.records.writer import write
from voicebackend.keys import Keys

KEYS = Keys()


class Kept:
    """An index and a store, and what a test says of them."""

    def __init__(self, redis: Redis, folder: Path) -> None:
        self.redis, self.folder = redis, folder
        self.index, self.objects = Index(redis, KEYS), Objects.open(f"file://{folder}")
        self.holds = Holds(redis, KEYS, self.index)

    async def write(self, *, due: float, session: str = "", subjects: tuple[str, ...] = (), tenant: str = "t") -> Entry:
        """Write one object that is due then."""
        session = session or secrets.token_hex(16)
        path = f"{tenant}/transcript/2026/11/23/{session}/{secrets.token_hex(4)}.json"
        entry = Entry(
            id=id_of(path),
            path=path,
            tenant=tenant,
            data_class="transcript",
            session=session,
            subjects=subjects,
            due=due,
        )
        assert await write(self.index, self.objects, entry, b'{"said": "hello"}')
        return entry

    def files(self) -> set[str]:
        """Return the paths of all objects in the folder."""
        found = (str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
        return {path for path in found if not path.startswith("_")}

    async def receipts(self) -> list[Receipt]:
        """Return all receipts; they follow from one another."""
        rows: Any = await self.redis.xrange(KEYS.receipts())
        receipts = [Receipt.parse(fields[b"r"].decode()) for _, fields in rows]
        assert broken(receipts, Head()) is None
        assert (await self.index.head()).count == len(receipts)
        return receipts
