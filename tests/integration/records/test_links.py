"""Records read by key and by link, and the audit of both: a real control process, Redis and folder."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from record_office import CONTENT, OTHER, Office, office
from redis.asyncio import Redis

from control.access.links import Link, LinkSigner
from control.records.audit import Action, Audit
from control.records.entry import Entry, Reason
from control.records.sweep import sweep
from voicebackend import tracing
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
WAIT_S = 20


@pytest.fixture
async def here(redis: Redis, deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a control process that keeps records."""
    async with office(redis, deployment, tmp_path) as found:
        yield found


async def link_to(here: Office, entry: Entry, **wanted: Any) -> str:
    """Return the URL of a new link."""
    issued = await here.ask("POST", f"/v1/records/{entry.id}/link", json=wanted)
    assert urlsplit(issued["url"]).path == f"/v1/links/{entry.id}"
    return str(issued["url"])


def path_of(here: Office, url: str) -> str:
    """Return a URL of this control process without its address."""
    assert url.startswith(here.url)
    return url.removeprefix(here.url)


async def deeds(here: Office, **options: Any) -> list[tuple[str, str, str]]:
    """Return who did what with what, newest first."""
    told = await here.ask("GET", "/v1/audit", **options)
    return [(one["by"], one["action"], one["about"]) for one in told["entries"]]


async def test_a_link_opens_one_record_without_a_key(here: Office) -> None:
    """Whole and in parts, as a file, kept by nobody on the way."""
    entry = await here.keep()
    url = await link_to(here, entry)
    async with here.http.get(url) as answer:
        assert (answer.status, await answer.read()) == (200, CONTENT)
        told = answer.headers
    assert told["Cache-Control"] == "no-store"
    assert told["Referrer-Policy"] == "no-referrer"
    assert told["X-Content-Type-Options"] == "nosniff"
    assert told["Content-Disposition"] == f'attachment; filename="{entry.session}-transcript.json"'
    for asked, got in [("bytes=2-5", CONTENT[2:6]), ("bytes=10-", CONTENT[10:]), ("bytes=-4", CONTENT[-4:])]:
        async with here.http.get(url, headers={"Range": asked}) as answer:
            assert (answer.status, await answer.read()) == (206, got)
            assert answer.headers["Content-Range"].endswith(f"/{len(CONTENT)}")
    for asked in ("bytes=999-", "bytes=5-2", "bytes=-0"):
        async with here.http.get(url, headers={"Range": asked}) as answer:
            assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize("wanted", [{"expires_in": 0}, {"expires_in": 604_801}, {"expires_in": 1.5}, {"days": 1}])
async def test_a_link_lives_a_week_at_most(here: Office, wanted: dict[str, Any]) -> None:
    """Anything else is refused by the name of the field."""
    entry = await here.keep()
    assert await here.status("POST", f"/v1/records/{entry.id}/link", json=wanted) == (400, "invalid_config")


async def test_a_link_without_a_wish_lives_fifteen_minutes(here: Office) -> None:
    """Also where no body is sent."""
    issued = await here.ask("POST", f"/v1/records/{(await here.keep()).id}/link")
    assert 890 < issued["expires_at"] - time.time() <= 900


async def test_nobody_links_to_what_is_not_theirs(here: Office) -> None:
    """Another tenant's record is not there, nor is one that never was."""
    entry = await here.keep()
    assert await here.status("POST", f"/v1/records/{entry.id}/link", key=OTHER) == (404, "session_not_found")
    assert await here.status("POST", f"/v1/records/{'0' * 32}/link") == (404, "session_not_found")
    assert await here.status("POST", f"/v1/records/{entry.id}/link", key="") == (401, "authentication_failed")


async def test_a_forged_link_opens_nothing(here: Office) -> None:
    """Of another record, by another secret, without a signature, for another use, or no token at all."""
    entry, other = await here.keep(), await here.keep()
    good = path_of(here, await link_to(here, entry)).partition("?token=")[2]
    secret, claims = here.deployment.token_secret, jwt.decode(good, options={"verify_signature": False})
    forged = [
        LinkSigner("another-secret-of-at-least-32-bytes").sign(Link.to(other.id, "default", 2**33)),
        jwt.encode({**claims, "sub": other.id}, key="", algorithm="none"),
        jwt.encode({**claims, "sub": other.id, "aud": "media"}, secret, algorithm="HS256"),
        *(good, good[:-4], "x" * 4096, "", "a.b.c"),
    ]
    for token in forged:
        assert await here.status("GET", f"/v1/links/{other.id}?token={token}", key="") == (403, "authorization_failed")
    for path in (f"/v1/links/{other.id}", "/v1/links/x?token=y"):
        assert await here.status("GET", path, key="") == (403, "authorization_failed")


async def test_a_link_of_another_tenant_leads_nowhere(here: Office) -> None:
    """Even if we signed it."""
    entry = await here.keep()
    token = LinkSigner(here.deployment.token_secret).sign(Link.to(entry.id, "other", 2**33))
    assert await here.status("GET", f"/v1/links/{entry.id}?token={token}", key="") == (410, "session_not_found")


async def test_a_link_ends_in_time_and_with_what_it_leads_to(here: Office) -> None:
    """410 once it has expired, and at once when the record is to be deleted."""
    entry = await here.keep()
    short, lasting = await link_to(here, entry, expires_in=1), path_of(here, await link_to(here, entry))
    async with asyncio.timeout(WAIT_S):
        while (await here.http.get(short)).status != 410:  # noqa: ASYNC110 - a clock tells nobody
            await asyncio.sleep(0.05)
    assert await here.status("GET", path_of(here, short), key="") == (410, "session_not_found")
    assert (await here.http.get(here.url + lasting)).status == 200
    await here.cabinet.index.sooner([entry.id], Reason.ERASURE)
    assert await sweep(here.cabinet.index, here.cabinet.objects) == 1
    assert await here.status("GET", lasting, key="") == (410, "session_not_found")


async def test_no_link_stands_in_logs_spans_or_problems(
    here: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a good one's token nor a bad one's, at any level."""
    caplog.set_level(logging.DEBUG)
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    entry = await here.keep()
    url = await link_to(here, entry)
    token = url.partition("?token=")[2]
    await (await here.http.get(url)).read()
    async with here.http.get(f"{here.url}/v1/links/{'0' * 32}?token={token}") as answer:
        assert (answer.status, token in await answer.text()) == (403, False)
    told = [span.to_json() for span in spans.get_finished_spans()]
    assert [text for text in told if "links.follow" in text]
    assert not [text for text in told if token in text]
    assert caplog.records
    assert not [line for line in caplog.records if token in f"{line.getMessage()} {vars(line)}"]


async def test_who_read_what_is_in_the_audit(here: Office) -> None:
    """Reads by key and by link, links, holds, erasures, exports: who, what, when, and no word of content."""
    entry = await here.keep()
    url = await link_to(here, entry)
    began = time.time()
    for _ in range(3):  # a player asks piece by piece: that is one read
        await (await here.http.get(url, headers={"Range": "bytes=0-3"})).read()
    await here.ask("GET", f"/v1/sessions/{entry.session}/records")
    hold = await here.ask("POST", "/v1/holds", json={"reason": "case 12", "subject": "canary-7@example.com"})
    await here.ask("DELETE", f"/v1/holds/{hold['id']}")
    await here.ask("POST", "/v1/exports", json={"subject": "canary-7@example.com"})
    erasure = await here.ask("POST", "/v1/erasures", json={"subject": "canary-7@example.com"})
    found = await deeds(here)
    key = found[0][0]
    assert key.startswith("key-")
    assert found[0] == (key, "erasure.asked", erasure["id"])
    assert found[1][:2] == (key, "data.exported")
    assert found[1][2].startswith("subject-")
    assert found[2:4] == [(key, "hold.lifted", hold["id"]), (key, "hold.placed", hold["id"])]
    reader, action, about = found[4]
    assert (action, about) == ("link.used", entry.id)
    assert found[5:] == [(key, "link.issued", f"{entry.id} {reader}")]
    told = await here.ask("GET", "/v1/audit")
    assert all(began - 60 < one["at"] < time.time() + 60 for one in told["entries"])
    assert "canary" not in str(told)
    assert await deeds(here, key=OTHER) == []


async def test_a_read_by_key_is_noted_before_it_is_answered(here: Office) -> None:
    """One that finds nothing leaves no note."""
    entry = await here.keep()
    assert await here.ask("GET", f"/v1/records/{entry.id}") == json.loads(CONTENT)
    assert await here.status("GET", f"/v1/records/{'0' * 32}") == (404, "session_not_found")
    assert [deed[1:] for deed in await deeds(here)] == [("record.read", entry.id)]


async def test_the_audit_comes_in_pages(here: Office) -> None:
    """Newest first, each deed once."""
    holds = [await here.ask("POST", "/v1/holds", json={"reason": "r", "everything": True}) for _ in range(5)]
    found, cursor = [], ""
    for _ in range(3):
        page = await here.ask("GET", f"/v1/audit?limit=2&cursor={cursor}")
        found += [one["about"] for one in page["entries"]]
        cursor = page["cursor"]
    assert (found, cursor) == ([hold["id"] for hold in reversed(holds)], None)
    assert await here.status("GET", "/v1/audit?cursor=x") == (400, "invalid_config")


async def test_the_audit_forgets_what_is_too_old(here: Office, redis: Redis) -> None:
    """With the next note, and where none comes any more, by Redis."""
    key = here.deployment.keys.records_audit("default")
    await redis.xadd(key, {"by": "b", "action": "a", "about": "old"}, id=f"{round(time.time() * 1000) - 90_000_000}-1")
    audit = Audit(redis, here.deployment.keys, ttl_s=86_400)
    await audit.note("default", by="b", action=Action.HOLD_PLACED, about="new")
    assert [deed.about for deed in (await audit.page("default", limit=10))[0]] == ["new"]
    assert 86_000 < await redis.ttl(key) <= 86_400
