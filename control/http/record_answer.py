"""A record's bytes as an answer, or a range of them; nobody keeps a copy on the way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from aiohttp import web

from control.http.problems import MEDIA_TYPE
from control.http.routing import Content
from control.records.cabinet import Cabinet
from control.records.entry import Entry, EntryState
from control.records.webvtt import TYPE, webvtt
from control.services import SERVICES
from voicebackend.errors import InvalidConfig

ID = re.compile(r"[0-9a-f]{32}")
"""Of a session or a record."""
_RANGE = re.compile(r"bytes=(\d{0,12})-(\d{0,12})")
_TYPES = {"json": "application/json", "flac": "audio/flac", "wav": "audio/wav"}
_ANY = "application/octet-stream"
ANSWERS: Mapping[int, Content] = {
    200: (*_TYPES.values(), TYPE, _ANY),
    206: (*_TYPES.values(), _ANY),
    416: MEDIA_TYPE,
}
"""By status: an object by the kind that it is, a range of it, or none where it ends before."""
_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def cabinet_of(request: web.Request) -> Cabinet:
    """Return where records are kept; raises InvalidConfig where the deployment keeps none."""
    cabinet = request.app[SERVICES].cabinet
    if cabinet is None:
        raise InvalidConfig("records", "no records are kept here: set VOICEBACKEND_RETENTION")
    return cabinet


async def stored(cabinet: Cabinet, id_: str, tenant: str) -> Entry | None:
    """Return the entry of a tenant's record that is there."""
    entries = await cabinet.index.many([id_]) if ID.fullmatch(id_) else []
    mine = (entry for entry in entries if entry.tenant == tenant and entry.state is EntryState.STORED)
    return next(mine, None)


async def record_answer(request: web.Request, cabinet: Cabinet, entry: Entry) -> web.Response | None:
    """Return what of a record the ``Range`` header asks for, all without one; None if it is gone.

    With ``format=vtt`` a transcript comes as captions, whole.

    Raises:
        InvalidConfig: there is no such format.
        InvalidFormat: the record is no transcript.

    """
    if (form := request.query.get("format")) is not None:
        return await _in_form(form, cabinet, entry)
    start, end = _range(request.headers.get("Range", ""), entry.size)
    data = await cabinet.read(entry, start=start, end=end)
    if data is None:
        return None
    whole, name = (start, end) == (0, entry.size), entry.path.rpartition("/")[2]
    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{entry.session}-{name}"'}
    if not whole:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{entry.size}"
    type_ = _TYPES.get(name.rpartition(".")[2], _ANY)
    return web.Response(body=data, status=200 if whole else 206, content_type=type_, headers=headers)


async def _in_form(form: str, cabinet: Cabinet, entry: Entry) -> web.Response | None:
    if form != "vtt":
        raise InvalidConfig("records", "format: vtt is the only one", details={"field": "format"})
    data = await cabinet.read(entry)
    if data is None:
        return None
    captions = await asyncio.to_thread(webvtt, data)
    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{entry.session}-transcript.vtt"'}
    return web.Response(text=captions, content_type=TYPE, charset="utf-8", headers=headers)


def _range(header: str, size: int) -> tuple[int, int]:
    """Return first and behind the last byte that are asked for; a range of another kind asks for all."""
    found = _RANGE.fullmatch(header)
    if found is None or header == "bytes=-":
        return 0, size
    first, last = found.groups()
    if not first:  # the last bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if not start < end:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return start, end
