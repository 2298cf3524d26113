"""A person's data as one archive: every object about them, and a list of what it is."""

from __future__ import annotations

import asyncio
import json
import logging
import zipfile
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from control.records.cabinet import Cabinet
from control.records.entry import Entry, EntryState
from control.records.handlers import named
from control.records.live import LiveSessions
from voicebackend.errors import PipelineError, SessionLimitExceeded

logger = logging.getLogger(__name__)

MAX_BYTES = 2 * 2**30
"""Of an archive; a person with more is exported session by session."""
_IN_MEMORY = 8 * 2**20


async def export(cabinet: Cabinet, tenant: str, name: str, live: LiveSessions | None = None) -> IO[bytes]:
    """Return a zip of everything that is kept about a user id or number, at its beginning; who takes it closes it.

    ``live`` adds what Redis has of sessions that run or ended a short while ago. What cannot be decrypted is left out,
    and told in its ``index.json`` as ``unreadable``.

    Raises:
        SessionLimitExceeded: it is more than ``MAX_BYTES``.
        ConnectionFailed: Redis or the store is not there.

    """
    file: Any = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - given away
    subject = cabinet.subjects.of(tenant, name)
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archived = _Archive(archive)
            sessions = await _add_live(archived, cabinet, tenant, subject, live)  # before their objects: none is missed
            objects, unreadable = await _add_objects(archived, cabinet, tenant, subject)
            index = {"objects": objects, "unreadable": unreadable, "sessions": sessions}
            archive.writestr("index.json", json.dumps(index, indent=1))
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file  # type: ignore[no-any-return]


class _Archive:
    """A zip that takes no more than it may."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive, self._total = archive, 0

    async def add(self, name: str, data: bytes) -> None:
        self._total += len(data)
        if self._total > MAX_BYTES:
            raise SessionLimitExceeded("export", "more than an archive holds: export session by session")
        await asyncio.to_thread(self._archive.writestr, name, data)


async def _add_objects(
    archive: _Archive, cabinet: Cabinet, tenant: str, subject: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Add what is stored; return what that is, and what is there and cannot be decrypted."""
    listed, unreadable = [], []
    async for ids in cabinet.index.about(tenant, subject):
        for entry in await cabinet.index.many(ids):
            if entry.state is not EntryState.STORED or entry.tenant != tenant:
                continue
            try:
                data = await cabinet.read(entry)
            except PipelineError:
                unreadable.append(_about(entry))
                logger.error("record left out of an export: it cannot be decrypted", extra={"record": entry.id})  # noqa: TRY400 - one line
                continue
            if data is not None:
                await archive.add(_name(entry), data)
                listed.append(_about(entry))
    return listed, unreadable


async def _add_live(
    archive: _Archive, cabinet: Cabinet, tenant: str, subject: str, live: LiveSessions | None
) -> list[dict[str, Any]]:
    if live is None:
        return []
    listed = []
    found = {record.id: record async for record in live.about(cabinet, tenant, subject)}
    for record in found.values():
        files = await live.files(record)
        for name, data in files.items():
            await archive.add(f"{record.id}/{name}", data)
        names = [f"{record.id}/{name}" for name in files]
        times = {"began": record.created_at, "ended": record.ended_at}
        listed.append({"session": record.id, "state": record.state.value, **times, "files": names})
    return listed


def _name(entry: Entry) -> str:
    return f"{entry.session}/{entry.data_class}/{PurePosixPath(entry.path).name}"


def _about(entry: Entry) -> dict[str, Any]:
    return {
        "file": _name(entry),
        "session": entry.session,
        "class": entry.data_class,
        "size": entry.size,
        "sha256": entry.sha256,
        "policy": entry.policy,
        "due": entry.due,
        "handled_by": named(entry.handled_by),
    }
