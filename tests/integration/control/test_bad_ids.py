"""Ids as nobody should write them: each looks like one that never was, and reaches no other key, path or tenant."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

NAMES = {
    "18 path": "../../etc/passwd",
    "18 encoded path": "..%2f..%2fetc%2fpasswd",
    "19 slash": "a/b",
    "19 NUL": "a\0b",
    "20 star": "*",
    "20 question": "?" * 32,
    "20 class": "[a-z]*",
    "21 slot": "{lane:0}",
    "22 colon": "default:sessions",
    "22 forged": "x:{id}",
    "23 CRLF": "a\r\nX-Forged: 1",
    "24 ten kilobytes": "a" * 7000,
    "25 look-alike": "\u0430\u0431",
    "25 right to left": "\u202eabc",
    "26 upper case": "{ID}",
}
"""What each is, by its number in the list of bad inputs; ``{id}`` is a real session's."""
PLACES = (
    ("GET", "/v1/sessions/{}"),
    ("DELETE", "/v1/sessions/{}"),
    ("GET", "/v1/sessions/{}/transcript"),
    ("GET", "/v1/calls/{}"),
    ("DELETE", "/v1/calls/{}"),
    ("GET", "/v1/telephony/calls/{}"),
    ("POST", "/v1/sessions/{}/token"),
)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_an_id_that_is_none_looks_like_one_that_never_was(api: Any, worker: Any, name: str) -> None:
    """On every route: 404 or, where the form tells, 400; the real session beside it is not touched."""
    created = await api.create()
    before = await worker.redis.hgetall(api.worker.keys.session(created["id"]))
    assert before
    tried = name.replace("{id}", created["id"]).replace("{ID}", created["id"].upper())
    for method, path in PLACES:
        answer = await api.send(method, path.format(quote(tried, safe="")))
        assert answer.status in {400, 404}, (method, path)
        assert "X-Forged" not in answer.headers
        assert "root:" not in await answer.text()
    assert await worker.redis.hgetall(api.worker.keys.session(created["id"])) == before


@pytest.mark.parametrize("cursor", ["*", "../x", "a:b", "{lane:0}", "\u202e", "a" * 7000, "-1", "\r\n", "a\0"])
@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/calls"])
async def test_a_page_that_is_none_is_refused(api: Any, path: str, cursor: str) -> None:
    """By its name; nothing is looked for by it."""
    answer = await api.send("GET", path, params={"cursor": cursor})
    assert answer.status == 400
    assert (await answer.json(content_type=None))["details"]["field"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "-1", "1e9", "99999999999999999999", "٣", "true", ""])
async def test_a_limit_that_is_none_is_refused(api: Any, limit: str) -> None:
    """Also a huge one: a page has a hundred."""
    assert await api.problem("GET", "/v1/sessions", params={"limit": limit}) == (400, "invalid_config")


@pytest.mark.parametrize("name", ["a\r\nERROR forged", "\x1b[31mred", "a\u202eb", "%s{}", "a" * 300, "", "a\0b"])
async def test_who_is_named_badly_is_refused(api: Any, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """A user's id goes into headers, keys and logs: it has one form; a line of the log is never what it says."""
    answer = await api.send("POST", "/v1/sessions", json={"user_id": name, "transport": "websocket", "agent": "demo"})
    assert answer.status == 400
    assert (await answer.json(content_type=None))["details"]["field"] == "user_id"
    assert not any(name and name in record.getMessage() for record in caplog.records)
