"""Calls of which something is kept only once their caller agreed, on real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from deployment import Site, site
from recorded_calls import WAIT_S, files, recorded_call, words_of

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.03}}
AGREED = {"text_version": "2026-11", "method": "web_form", "at": "2026-11-20T12:00:00Z", "proof": "form 7"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Site, Path]]:
    """Give a deployment that keeps voices and words of who consented."""
    folder: Path = tmp_path_factory.mktemp("consent")
    policies = [
        {"id": "audio", "class": "audio", "ttl": "P1D", "consent": "required"},
        {"id": "transcripts", "class": "transcript", "ttl": "P1D", "consent": "required"},
        {"id": "clean", "class": "transcript", "ttl": "P1D", "agent": "clerk", "store": "redacted"},
        {"id": "metadata", "class": "metadata", "ttl": "P1D"},
        {"id": "none", "class": "trace", "store": "none"},
    ]
    settings = {"store": f"file://{folder / 'records'}", "subject_key": "k" * 40, "policies": policies}
    settings["spool"] = str(folder / "spool")
    (folder / "retention.yaml").write_text(yaml.safe_dump(settings))
    environment = {
        "VOICEBACKEND_RETENTION": str(folder / "retention.yaml"),
        "VOICEBACKEND_AGENTS": "telephone_agents,consent_agents",
    }
    async with site(CONFIG, workers=1, environment=environment) as running:
        await running.start("beat", "celery", "-A", "control", "beat")
        yield running, folder


async def until(found: Callable[[], Any]) -> Any:
    """Return what is found, once it is."""
    async with asyncio.timeout(WAIT_S):
        while not (value := found()):  # noqa: ASYNC110 - files tell nobody of themselves
            await asyncio.sleep(0.1)
    return value


def left(folder: Path, session: str, name: str) -> list[Path]:
    """Return what a session left under this name."""
    return files(folder / "records", f"{session}/{name}")


async def test_nothing_is_kept_of_what_was_said_before_consent(running: tuple[Site, Path]) -> None:
    """Not on disk either; afterwards voices and words are, and the proof names nobody."""
    here, folder = running
    async with recorded_call(here.url, here.api_key, agent="parrot") as call:
        await call.say("secret")
        assert list(folder.rglob("*.pcm")) == []
        assert await call.consent("audio", "transcript") == {"audio": True, "transcript": True}
        await call.be_silent(0.5)
        await call.say("public")
        assert len(list(folder.rglob("*.pcm"))) == 1
        await call.hang_up()
    (recording,) = await until(lambda: left(folder, call.session, "recording-*.flac"))
    assert (words_of(recording, 0), words_of(recording, 1)) == ("public", "public")
    assert int(recording.stem.split("-")[1]) > 500  # milliseconds after the session's beginning
    (proof,) = await until(lambda: left(folder, call.session, "consent-*.json"))
    (transcript,) = await until(lambda: left(folder, call.session, "transcript.json"))
    assert [one["text"] for one in json.loads(transcript.read_text())["segments"]] == ["public", "public"]
    said = json.loads(proof.read_text())
    assert (said["given"], said["classes"], said["method"]) == (True, ["audio", "transcript"], "app")
    assert len(said["subjects"]) == 1
    assert "caller@example.com" not in proof.read_text()


async def test_who_never_consents_leaves_no_voice_and_no_word(running: tuple[Site, Path]) -> None:
    """What needs no consent is kept."""
    here, folder = running
    async with recorded_call(here.url, here.api_key, agent="parrot") as call:
        await call.say("secret")
        await call.hang_up()
    await until(lambda: left(folder, call.session, "metadata.json"))
    assert [path.name for path in left(folder, call.session, "*")] == ["metadata.json"]
    assert list(folder.rglob("*.pcm")) == []


async def test_a_withdrawal_ends_the_recording_and_takes_what_was_recorded(running: tuple[Site, Path]) -> None:
    """It was the agent who asked; each word leaves its proof."""
    here, folder = running
    async with recorded_call(here.url, here.api_key, agent="asker") as call:
        await call.say("yes")
        await until(lambda: list(folder.rglob("*.pcm")))
        await call.say("secret")
        await call.say("no")
        await until(lambda: not list(folder.rglob("*.pcm")))
        await call.say("more")
        assert list(folder.rglob("*.pcm")) == []
        await call.hang_up()
    proofs = await until(lambda: len(found := left(folder, call.session, "consent-*.json")) > 1 and found)
    said = [json.loads(path.read_text()) for path in proofs]
    assert [(one["given"], one["method"], one["by"]) for one in said] == [
        (True, "spoken", "agent:asker"),
        (False, "spoken", "agent:asker"),
    ]
    assert left(folder, call.session, "recording-*") == []
    assert left(folder, call.session, "transcript.json") == []


async def test_consent_from_before_is_proved_beyond_the_withdrawal_and_the_erasure(running: tuple[Site, Path]) -> None:
    """The recording is whole; withdrawn after the call, it is deleted with a receipt; the proofs outlive all of it."""
    here, folder = running
    consent = {**AGREED, "classes": ["audio"]}
    async with recorded_call(here.url, here.api_key, agent="parrot", consent=consent) as call:
        await call.say("hello")
        await call.hang_up()
        (recording,) = await until(lambda: left(folder, call.session, "recording-*.flac"))
        assert words_of(recording, 0) == "helo"
        (proof,) = await until(lambda: left(folder, call.session, "consent-*.json"))
        said = json.loads(proof.read_text())
        assert (said["proof"], said["obtained_at"]) == ("form 7", "2026-11-20T12:00:00+00:00")
        assert await call.consent("audio", given=False) == {"audio": False}
        await until(lambda: not recording.exists())
        await until(lambda: left(folder, call.session, "consent-002.json"))
        assert await refused(call.http, call.url, {"classes": ["audio"], "text_version": "1"}) == 409
        assert await refused(call.http, call.url, {"classes": ["audio"]}) == 400
        async with call.http.post(f"{here.url}/v1/erasures", json={"subject": "caller@example.com"}) as response:
            assert response.status == 202
        await until(lambda: not left(folder, call.session, "metadata.json"))
        assert len(left(folder, call.session, "consent-*.json")) == 2


async def test_what_is_kept_redacted_has_no_card_and_no_address(running: tuple[Site, Path]) -> None:
    """It says so, and nothing of it is in any log."""
    here, folder = running
    said = "my card is four one one one 1111 1111 1111 1111, or mail ann dot lee at example dot com"
    async with recorded_call(here.url, here.api_key, agent="clerk") as call:
        await call.be_silent(0.5)
        async with call.http.post(f"{call.url}/text", json={"text": said}) as response:
            assert response.status == 202
        await call.say("balance")
        await call.hang_up()
    (path,) = await until(lambda: left(folder, call.session, "transcript.json"))
    document = json.loads(path.read_text())
    assert document["segments"][0]["text"] == "my card is [number], or mail [email]"
    assert document["redacted"]["found"] == {"number": 1, "email": 1}
    assert not [line for _, line in here.log if "1111 1111" in line or "ann dot lee" in line]


async def refused(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> int:
    """Return the status of a consent that is not taken."""
    async with http.post(f"{url}/consent", json=body) as response:
        return response.status
