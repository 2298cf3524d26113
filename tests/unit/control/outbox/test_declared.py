"""Endpoints that a file declares: in force when control starts, and gone when the file has them no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from control.context import TaskContext
from control.outbox.declared import declare
from control.outbox.endpoints import Endpoints
from voicebackend.errors import InvalidConfig

OLD, NEW = "o" * 32, "n" * 32
ENVIRON = {"OLD": OLD, "NEW": NEW, "SHORT": "short"}
ONE = "{url: 'https://a.example.com/', secret_env: OLD, events: [session.ended]}"


async def _declare(shared: TaskContext, folder: Path, *entries: str) -> Endpoints:
    """Start with a file of these entries."""
    path = folder / "webhooks.yaml"
    path.write_text("webhooks: [" + ", ".join(entries) + "]", encoding="utf-8")
    deployment = replace(shared.deployment, webhooks=path)
    await declare(shared.state, deployment, ENVIRON)
    return Endpoints(shared.state, deployment)


async def test_what_a_file_declares_is_in_force(shared: TaskContext, tmp_path: Path) -> None:
    """For its tenants, beside what they added themselves; a second start changes nothing."""
    own, _ = await Endpoints(shared.state, shared.deployment).add("default", "https://own.example.com/", [])
    entries = (ONE, "{url: 'https://b.example.com/', secret_env: NEW, tenant: acme}")
    await _declare(shared, tmp_path, *entries)
    endpoints = await _declare(shared, tmp_path, *entries)
    declared = [one for one in await endpoints.all("default") if one.id != own.id]
    assert [(one.url, one.events) for one in declared] == [("https://a.example.com/", ["session.ended"])]
    assert await endpoints.secrets_of("default", declared[0]) == [OLD]
    assert [one.url for one in await endpoints.all("acme")] == ["https://b.example.com/"]


async def test_what_it_declares_no_more_is_gone(shared: TaskContext, tmp_path: Path) -> None:
    """Nothing else is."""
    own, _ = await Endpoints(shared.state, shared.deployment).add("default", "https://own.example.com/", [])
    await _declare(shared, tmp_path, ONE, "{url: 'https://b.example.com/', secret_env: NEW, tenant: acme}")
    endpoints = await _declare(shared, tmp_path)
    assert [one.id for one in await endpoints.all("default")] == [own.id]
    assert await endpoints.all("acme") == []


async def test_without_a_file_nothing_is_declared_any_more(shared: TaskContext, tmp_path: Path) -> None:
    """What tenants added themselves stays."""
    own, _ = await Endpoints(shared.state, shared.deployment).add("default", "https://own.example.com/", [])
    endpoints = await _declare(shared, tmp_path, ONE, "{url: 'https://b.example.com/', secret_env: NEW, tenant: acme}")
    assert [one.view().declared for one in await endpoints.all("default")] == [False, True]
    await declare(shared.state, replace(shared.deployment, webhooks=None), ENVIRON)
    assert [one.id for one in await endpoints.all("default")] == [own.id]
    assert await endpoints.all("acme") == []


async def test_a_url_is_declared_once(shared: TaskContext, tmp_path: Path) -> None:
    """Of two entries of one tenant nobody could tell which is meant."""
    again = "{url: 'https://a.example.com/', secret_env: NEW, events: [session.started]}"
    with pytest.raises(InvalidConfig, match="declared twice"):
        await _declare(shared, tmp_path, ONE, again)
    await _declare(shared, tmp_path, ONE, again.replace("events", "tenant: acme, events"))


async def test_a_secret_is_replaced_by_the_file(shared: TaskContext, tmp_path: Path) -> None:
    """Both sign for as long as it has both."""
    entry = "{url: 'https://a.example.com/', secret_env: NEW, old_secret_env: OLD}"
    endpoints = await _declare(shared, tmp_path, entry)
    (one,) = await endpoints.all("default")
    assert await endpoints.secrets_of("default", one) == [NEW, OLD]


async def test_the_api_does_not_change_what_the_file_declares(shared: TaskContext, tmp_path: Path) -> None:
    """It would be back at the next start."""
    endpoints = await _declare(shared, tmp_path, ONE)
    (one,) = await endpoints.all("default")
    for change in (endpoints.remove, endpoints.rotate):
        with pytest.raises(InvalidConfig, match="VOICEBACKEND_WEBHOOKS"):
            await change("default", one.id)


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ("{url: 'https://a.example.com/', secret_env: MISSING}", "MISSING"),
        ("{url: 'https://a.example.com/', secret_env: SHORT}", "SHORT"),
        ("{url: 'http://a.example.com/', secret_env: OLD}", "webhooks.url"),
        ("{url: 'https://10.0.0.1/', secret_env: OLD}", "webhooks.url"),
        ("{url: 'https://a.example.com/'}", "webhooks.0.secret_env"),
        ("{url: 'https://a.example.com/', secret_env: OLD, events: [x]}", "webhooks.0.events.0"),
        ("{url: 'https://a.example.com/', secret_env: OLD, tenant: 'a:b'}", "webhooks.0.tenant"),
        ("{url: 'https://a.example.com/', secret_env: OLD, more: 1}", "webhooks.0.more"),
    ],
)
async def test_a_file_that_is_wrong_is_refused(shared: TaskContext, tmp_path: Path, entry: str, field: str) -> None:
    """Before anything is written, by the field's name and without a secret."""
    with pytest.raises(InvalidConfig) as caught:
        await _declare(shared, tmp_path, entry)
    assert caught.value.details["field"] == field
    assert OLD not in str(caught.value)
    assert await Endpoints(shared.state, shared.deployment).all("default") == []


@pytest.mark.parametrize("text", ["[", "- 1", "webhooks: 5", ""])
async def test_a_file_that_is_no_such_file_is_refused(shared: TaskContext, tmp_path: Path, text: str) -> None:
    """And so is one that is not there."""
    path = tmp_path / "webhooks.yaml"
    for _ in range(2):
        with pytest.raises(InvalidConfig):
            await declare(shared.state, replace(shared.deployment, webhooks=path), ENVIRON)
        path.write_text(text, encoding="utf-8")
