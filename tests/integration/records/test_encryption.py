"""Records whose keys go with them: read by the API as others, and not at all from a copy once they are erased."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from record_office import CONTENT, USER, Office, office
from redis.asyncio import Redis
from residue import everything

from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.erasure import Erasures
from control.records.index import Index
from control.records.objects import Objects
from control.records.policy import Rule
from control.records.sweep import sweep
from control.records.vault import CHUNK
from control.sessions.store import SessionStore
from voicebackend.errors import ConnectionFailed, InvalidConfig, PipelineError
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
TRANSCRIPT = (DataClass.TRANSCRIPT, "transcript.json", Rule("transcripts", 60.0))
SECRET = "records-key-of-at-least-32-bytes-long"


@pytest.fixture
async def here(redis: Redis, deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a control process that encrypts records."""
    async with office(redis, replace(deployment, records_key=SECRET), tmp_path, encrypt=True) as found:
        yield found


def stored(here: Office, path: str) -> Path:
    """Return where an object lies."""
    return Path(here.cabinet.settings.store.removeprefix("file://")) / path


async def test_encrypted_records_are_read_as_others(here: Office) -> None:
    """Whole, in ranges, by links and in exports; in the store there is no word of them."""
    data = os.urandom(2 * CHUNK + 1000)
    words, long = await here.keep(), await here.keep(data=data)
    assert (words.size, long.size) == (len(CONTENT), len(data))
    assert CONTENT[:10] not in stored(here, words.path).read_bytes()
    assert await here.ask("GET", f"/v1/sessions/{words.session}/records")
    url = (await here.ask("POST", f"/v1/records/{long.id}/link"))["url"]
    for start, end in [(0, 10), (CHUNK - 5, CHUNK + 5), (100, len(data)), (2 * CHUNK, 2 * CHUNK + 1), (0, len(data))]:
        async with here.http.get(url, headers={"Range": f"bytes={start}-{end - 1}"}) as answer:
            assert (await answer.read(), answer.ok) == (data[start:end], True)
    with zipfile.ZipFile(io.BytesIO(await here.ask("POST", "/v1/exports", json={"subject": USER}))) as archive:
        assert archive.read(f"{words.session}/transcript/transcript.json") == CONTENT


async def test_of_what_was_erased_no_copy_can_be_read(here: Office, redis: Redis) -> None:
    """Its key is nowhere in Redis any more: a backup of the store is of no use to anybody."""
    entry = await here.keep()
    copy, before = stored(here, entry.path).read_bytes(), await everything(redis)
    assert entry.key.encode() in before
    assert here.cabinet.vault.open(entry.id, entry.key, copy) == CONTENT
    keys = here.deployment.keys
    erasures = Erasures(redis, keys, SessionStore(redis, keys), here.cabinet)
    await here.ask("POST", "/v1/erasures", json={"subject": USER})
    await erasures.go_on()
    assert await sweep(here.cabinet.index, here.cabinet.objects) == 1
    assert await erasures.go_on() == 1
    assert not stored(here, entry.path).exists()
    assert entry.key.encode() not in await everything(redis)


async def test_a_write_that_is_repeated_keeps_its_key(here: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that died before the store, one that died after it, and one whose object nobody can read any more."""
    cabinet, record = here.cabinet, here.finished()

    async def dies(*_: Any) -> bool:
        raise ConnectionFailed("test")

    for owner, name, kept in [(Objects, "create", b"second"), (Index, "stored", b"first")]:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dies)
            with pytest.raises(ConnectionFailed):
                await here.keep(record, name=f"{name}.json", data=b"first")
        entry = await here.keep(record, name=f"{name}.json", data=b"second")
        assert (await cabinet.read(entry), entry.size) == (kept, len(kept))
    path = entry.path.replace("stored.json", "other.json")
    assert await cabinet.objects.create(path, b"VBE1 of a key that is gone")
    entry = await here.keep(record, name="other.json")
    assert (entry.path, await cabinet.read(entry)) == (path, CONTENT)


async def test_what_was_written_before_is_read_after(here: Office, tmp_path: Path, redis: Redis) -> None:
    """Plain records where encryption is turned on, encrypted ones where it is turned off; not by another secret."""
    encrypted = await here.keep()
    path, keys = tmp_path / "retention.yaml", here.deployment.keys
    off = path.with_name("off.yaml")
    off.write_text(path.read_text().replace("encrypt: true", "encrypt: false"))
    plain = Cabinet.open(off, redis, keys, SECRET)
    record = here.finished()
    entry = plain.entry(record, *TRANSCRIPT)
    assert await plain.write(entry, CONTENT)
    assert stored(here, entry.path).read_bytes() == CONTENT
    assert await here.ask("GET", f"/v1/records/{entry.id}") is not None
    assert await plain.read(encrypted) == CONTENT
    for secret in ("", "another-key-of-at-least-32-bytes-long"):
        with pytest.raises(PipelineError, match="VOICEBACKEND_RECORDS_KEY"):
            await Cabinet.open(off, redis, keys, secret).read(encrypted)
    with pytest.raises(InvalidConfig, match="VOICEBACKEND_RECORDS_KEY"):
        Cabinet.open(path, redis, keys)


async def test_an_object_that_was_changed_is_not_given_out(here: Office) -> None:
    """Not a byte of what does not verify, and the problem says so."""
    entry = await here.keep(data=os.urandom(2 * CHUNK))
    file = stored(here, entry.path)
    raw = bytearray(file.read_bytes())
    raw[CHUNK] ^= 1
    file.write_bytes(raw)
    assert await here.status("GET", f"/v1/records/{entry.id}") == (500, "pipeline_error")
    async with here.http.get((await here.ask("POST", f"/v1/records/{entry.id}/link"))["url"]) as answer:
        assert answer.status == 500


async def test_an_object_that_is_gone_is_not_there(here: Office) -> None:
    """404, whole and in parts."""
    entry = await here.keep()
    stored(here, entry.path).unlink()
    for headers in ({}, {"Range": "bytes=1-2"}):
        assert (await here.status("GET", f"/v1/records/{entry.id}", headers=headers))[0] == 404
