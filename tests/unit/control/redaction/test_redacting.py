"""Documents that are kept redacted, or not at all."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from task_harness import a_record, task_context

from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.keep import keep
from control.records.policy import RetentionSettings
from control.records.redacting import Redaction, RedactionSettings, redacted
from control.redaction.recogniser import Recogniser
from control.redaction.redactor import Redactor
from voicebackend.errors import InvalidConfig
from voicebackend.session import SessionState
from voicebackend.settings import Deployment

CARD = "4111 1111 1111 1111"


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """Give what recognises it; loaded once."""
    return Recogniser()


def clean(recogniser: Recogniser, kind: DataClass, body: dict[str, Any]) -> dict[str, Any]:
    """Return a document redacted."""
    return dict(json.loads(redacted(kind, json.dumps(body).encode(), Redactor(recogniser))))


def test_a_transcript_is_redacted_with_its_words_and_what_was_never_heard(recogniser: Recogniser) -> None:
    """Where nothing was found all stays; it says by what, and how much was found."""
    words = [{"word": "four", "start_ms": 1, "end_ms": 2}]
    segments = [
        {"role": "user", "text": "four one one one one one one one", "words": words, "turn": 1},
        {"role": "agent", "text": "Your card 4111 1111", "unheard": "1111 1111, thanks", "clauses": [{}], "turn": 1},
        {"role": "user", "text": "one one one one one one one one", "words": words, "turn": 2},
        {"role": "user", "text": "fine", "words": words, "turn": 3},
    ]
    document = clean(recogniser, DataClass.TRANSCRIPT, {"session": "9" * 32, "segments": segments})
    assert [one["text"] for one in document["segments"]] == ["[card]", "Your card [card]", "[card]", "fine"]
    assert document["segments"][1]["unheard"] == "[card], thanks"
    assert [sorted(one.keys() & {"words", "clauses"}) for one in document["segments"]] == [[], [], [], ["words"]]
    assert document["session"] == "9" * 32
    assert document["redacted"]["found"] == {"card": 2}
    assert document["redacted"]["by"].startswith("presidio-analyzer ")


def test_what_tools_were_told_is_redacted_at_any_depth(recogniser: Recogniser) -> None:
    """Names of fields and whole numbers too; amounts and times stay."""
    body = {
        "began": 1763884800.5,
        "calls": [{"arguments": {"card": 4111111111111111, "ann@example.com": ["+1 202 555 0111"]}, "result": None}],
        "amounts": [12, 199.99, True, 2_025_550],
    }
    document = clean(recogniser, DataClass.TOOL_IO, body)
    assert document["calls"] == [{"arguments": {"card": "[card]", "[email]": ["[phone]"]}, "result": None}]
    assert (document["amounts"], document["began"]) == ([12, 199.99, True, 2_025_550], 1763884800.5)


@pytest.mark.parametrize("name", ["id", "type", "role", "state", "reason", "language", "agent", "session", "provider"])
def test_names_of_our_fields_hide_nothing_of_what_others_say(recogniser: Recogniser, name: str) -> None:
    """In a tool's arguments and results, in an application's metadata, in the proof of a consent."""
    number = "4929 1300 8651 2347"
    tools = {"calls": [{"id": "1", "arguments": {name: number}, "result": {"rows": [{name: {name: number}}]}}]}
    assert "2347" not in json.dumps(clean(recogniser, DataClass.TOOL_IO, tools))
    metadata = {"metadata": {name: number}, "consent": [{"proof": f"said with {number}"}]}
    assert "2347" not in json.dumps(clean(recogniser, DataClass.METADATA, metadata))


def test_metadata_names_no_user(recogniser: Recogniser) -> None:
    """Its own fields stay."""
    body = {"id": "1" * 32, "user_id": "u1", "metadata": {"said": {"caller": "+12025550111"}}, "state": "ended"}
    document = clean(recogniser, DataClass.METADATA, body)
    assert document["metadata"] == {"said": {"caller": "[phone]"}}
    assert (document["id"], document["user_id"], document["state"]) == ("1" * 32, "[user]", "ended")


def opened(folder: Path, deployment: Deployment, redis: Any) -> Cabinet:
    """Return a cabinet that keeps metadata and transcripts redacted."""
    policies = [{"id": kind, "class": kind, "ttl": 3600, "store": "redacted"} for kind in ("metadata", "transcript")]
    policies += [{"id": kind, "class": kind, "store": "none"} for kind in ("trace", "tool_io")]
    settings = {"store": f"file://{folder / 'records'}", "subject_key": "k" * 40, "policies": policies}
    (folder / "retention.yaml").write_text(yaml.safe_dump(settings))
    return Cabinet.open(folder / "retention.yaml", redis, deployment.keys)


async def test_what_cannot_be_redacted_is_not_kept_and_that_is_told_without_its_words(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are."""
    async with task_context(deployment) as shared:
        cabinet = opened(tmp_path, deployment, shared.state)
        ended = a_record(state=SessionState.ENDED, ended_at=time.time(), user_id=f"card {CARD}", pseudonym="5ca1ab1e")
        record = replace(ended, retention=cabinet.rules_for(ended))
        await shared.store.create(record)
        texts = Redactor.texts

        def fail(self: Redactor, pieces: Any) -> list[str]:
            if any("transcribed" in piece for piece in pieces):
                raise RuntimeError(f"it broke over {CARD}")
            return texts(self, pieces)

        monkeypatch.setattr(Redactor, "texts", fail)
        said = {"type": "transcript", "role": "user", "final": True, "turn": 1, "text": f"transcribed {CARD}"}
        await shared.store.append_log(record.id, said)
        with caplog.at_level(logging.ERROR):
            assert await keep(cabinet, shared.state, shared.keys, record, None) == 1
    (kept,) = [path for path in (tmp_path / "records").rglob("*.json") if path.is_file()]
    assert kept.name == "metadata.json"
    (line,) = [one for one in caplog.records if one.message == "not redacted, so not kept"]
    assert (line.__dict__["class"], line.__dict__["error"]) == ("transcript", "RuntimeError")
    assert CARD not in caplog.text + kept.read_text()
    assert "5ca1ab1e" not in kept.read_text()  # it leads to the traces of whoever is not named here


async def test_without_the_package_nothing_starts_and_nothing_is_kept(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    monkeypatch.setattr("control.redaction.recogniser.find_spec", lambda name: None)
    async with task_context(deployment) as shared:
        with pytest.raises(InvalidConfig, match=r"pip install 'voicebackend\[redaction\]'"):
            opened(tmp_path, deployment, shared.state)
    redaction = Redaction(RedactionSettings())
    assert await redaction.document(DataClass.TRANSCRIPT, b'{"segments": []}', session="s") is None


@pytest.mark.parametrize(("redaction", "field"), [({"regions": ["usa"]}, "regions"), ({"regions": []}, "regions")])
def test_wrong_settings_are_refused_by_their_name(redaction: dict[str, Any], field: str) -> None:
    """As all others."""
    policies = [{"id": "a", "class": "transcript", "ttl": 60, "store": "redacted"}]
    data = {"store": "memory:///", "subject_key": "k" * 40, "policies": policies, "redaction": redaction}
    with pytest.raises(InvalidConfig) as caught:
        RetentionSettings.of(data)
    assert f"redaction.{field}" in caught.value.details["field"]
