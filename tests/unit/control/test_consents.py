"""Consents: from when on something may be kept, what policies ask for, and what a session's record takes."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from task_harness import a_record

from control.celery_process import _check_records
from control.context import TaskContext
from control.http.answered_calls import _request
from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.keep import keep
from control.records.policy import NOTHING, About, RetentionSettings, Rule, restored, snapshot
from control.sessions.consents import MAX_SAID, Consents, statement
from control.telephony.outbound.call import OutboundCall
from voicebackend.calls import CallRequest
from voicebackend.consent import ConsentWord, given, kept_from
from voicebackend.errors import InvalidConfig, SessionLimitExceeded, SessionNotActive, SessionNotFound
from voicebackend.session import SessionState
from voicebackend.settings import Deployment
from voicebackend.tasks import Queue

DAY = 86_400.0
AUDIO = {"id": "a", "class": "audio", "ttl": "P7D", "consent": "required"}


def settings(*policies: dict[str, Any]) -> RetentionSettings:
    """Return settings with these policies."""
    return RetentionSettings.of({"store": "memory:///", "subject_key": "k" * 32, "policies": list(policies)})


def said(text: str) -> list[dict[str, Any]]:
    """Return what was said, one a second: ``+`` and ``-`` for audio, ``*`` for something else."""
    classes = {"*": ["transcript"]}
    return [
        {"at": at, "given": mark != "-", "classes": classes.get(mark, ["audio"])} for at, mark in enumerate(text, 1)
    ]


@pytest.mark.parametrize(
    ("text", "required", "since"),
    [
        ("", True, None),
        ("", False, 0.0),
        ("*", True, None),
        ("+", True, 1.0),
        ("*++", True, 2.0),
        ("+-", True, None),
        ("+-+", True, 3.0),
        ("-", False, None),
        ("+", False, 0.0),
        ("-*+", False, 3.0),
    ],
)
def test_what_may_be_kept_begins_with_consent_and_ends_with_its_withdrawal(
    text: str, required: bool, since: float | None
) -> None:
    """What needs no consent is kept until somebody withdraws it."""
    assert kept_from(said(text), "audio", required=required) == since


def test_the_last_word_counts() -> None:
    """For each class by itself."""
    assert given(said("+*-")) == {"audio": False, "transcript": True}


def test_what_needs_consent_says_so_in_the_sessions_record() -> None:
    """And its proof outlives it by a year, where no policy says otherwise."""
    rules = settings(AUDIO).rules(About("t"))
    assert rules[DataClass.AUDIO] == Rule("a", 7 * DAY, consent=True)
    assert rules[DataClass.CONSENT] == Rule("a", (7 + 366) * DAY)
    assert {kind: restored(snapshot(rules), kind) for kind in rules} == rules


def test_where_a_class_has_no_policy_the_strictest_of_all_holds() -> None:
    """Who asks for consent to voices does not keep words without."""
    full = {"id": "m", "class": "metadata", "ttl": "P30D"}
    assert settings(AUDIO, full).rule(DataClass.TRANSCRIPT, About("t")) == Rule("a", 7 * DAY, consent=True)
    assert settings(AUDIO, full).rule(DataClass.METADATA, About("t")) == Rule("m", 30 * DAY)


def test_where_nothing_is_kept_there_is_nothing_to_prove() -> None:
    """No consent is written."""
    assert settings({"id": "a", "class": "trace", "store": "none"}).rule(DataClass.CONSENT, About("t")) == NOTHING


@pytest.mark.parametrize(
    ("proof", "wrong"),
    [
        ({"ttl": "P8D"}, False),
        ({"ttl": "P7D"}, False),
        ({"ttl": "P6D"}, True),
        ({"store": "none", "ttl": "P99D"}, True),
        ({"ttl": "P6D", "tenant": "acme"}, True),
    ],
)
def test_a_proof_that_goes_before_what_it_is_for_is_refused(proof: dict[str, Any], wrong: bool) -> None:
    """For any session that both policies fit."""
    policies = [AUDIO, {"id": "c", "class": "consent", **proof}]
    if not wrong:
        assert settings(*policies).rule(DataClass.CONSENT, About("acme")).policy == "c"
        return
    with pytest.raises(InvalidConfig, match="proof of consent") as caught:
        settings(*policies)
    assert caught.value.details["field"] == "policies"


def test_a_proof_that_another_policy_keeps_longer_is_fine() -> None:
    """What counts is which policy holds for the session."""
    long = {**AUDIO, "id": "long", "tenant": "acme", "ttl": "P365D"}
    consents = [{"id": "c", "class": "consent", "ttl": "P8D"}]
    consents += [{"id": "d", "class": "consent", "ttl": "P400D", "tenant": "acme"}]
    assert settings(AUDIO, long, *consents).rule(DataClass.CONSENT, About("acme")).policy == "d"


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"class": "consent", "consent": "required"}, "policies.0.consent"),
        ({"class": "consent", "store": "redacted"}, "policies.0.store"),
        ({"class": "dtmf", "store": "redacted"}, "policies.0.store"),
        ({"class": "audio", "consent": "always"}, "policies.0.consent"),
    ],
)
def test_what_makes_no_sense_is_refused(policy: dict[str, Any], field: str) -> None:
    """By the name of the field."""
    with pytest.raises(InvalidConfig) as caught:
        settings({"id": "x", "ttl": 60, **policy})
    assert caught.value.details["field"] == field


@pytest.mark.parametrize("body", [{"classes": ["audio"]}, {"classes": []}, {"classes": ["x"], "text_version": "1"}])
def test_a_consent_names_what_and_which_words(body: dict[str, Any]) -> None:
    """A withdrawal need not name words."""
    with pytest.raises(ValueError, match="validation error"):
        ConsentWord.model_validate(body)
    assert ConsentWord(classes=("audio",), given=False).text_version == ""


def test_consent_to_a_call_counts_for_its_conversation() -> None:
    """What its classes name; it is the session's from the beginning."""
    agreed = {"text_version": "1", "method": "paper", "at": "2026-11-01T12:00:00Z", "classes": ["audio"]}
    request = CallRequest.model_validate({"to": "+12025550111", "consent": agreed})
    call = OutboundCall(id="c", tenant="t", trunk="main", from_="+14155550100", request=request, created_at=1.0)
    line: Any = SimpleNamespace(kind="mock", name="main")
    consent = _request(line, call, 1, "CA1").consent
    assert consent is not None
    said = statement(consent, by="trunk:main", at=1000.0)
    assert kept_from([said], "audio", required=True) == 1000.0
    assert kept_from([said], "transcript", required=True) is None
    assert said["obtained_at"] == "2026-11-01T12:00:00+00:00"


def test_a_celery_worker_that_could_not_keep_what_it_is_to_keep_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those that write records are asked."""
    file = tmp_path / "retention.yaml"
    policies = [{"id": "a", "class": "transcript", "store": "redacted", "ttl": 60}]
    file.write_text(yaml.safe_dump({"store": "memory:///", "subject_key": "k" * 32, "policies": policies}))
    deployment = replace(Deployment(), retention=file)
    _check_records(deployment, [Queue.POST_CALL])
    monkeypatch.setattr("control.redaction.recogniser.find_spec", lambda name: None)
    with pytest.raises(InvalidConfig, match="pip install"):
        _check_records(deployment, [Queue.POST_CALL])
    _check_records(deployment, [Queue.AGENTS])


async def running(shared: TaskContext) -> tuple[Consents, str]:
    """Return what takes consents, and a session that runs."""
    record = a_record(state=SessionState.ACTIVE)
    await shared.store.create(record)
    return Consents(shared.state, shared.keys, shared.publisher, keeps=False), record.id


async def test_words_of_many_at_once_are_all_in_the_record(shared: TaskContext) -> None:
    """None overwrites another."""
    consents, session = await running(shared)
    word = ConsentWord(classes=("audio",), text_version="1")
    await asyncio.gather(*(consents.say(session, word, by=str(number)) for number in range(20)))
    record = await shared.store.get(session)
    assert sorted(int(one["by"]) for one in record.consent) == list(range(20))
    assert record.view().consent == {"audio": True}


async def test_a_session_that_is_over_takes_withdrawals_only(shared: TaskContext) -> None:
    """And one that is not there takes nothing."""
    consents, session = await running(shared)
    await shared.store.move(session, SessionState.ENDED, reason="closed")
    with pytest.raises(SessionNotActive):
        await consents.say(session, ConsentWord(classes=("audio",), text_version="1"), by="u")
    record = await consents.say(session, ConsentWord(classes=("audio",), given=False), by="u")
    assert record.view().consent == {"audio": False}
    assert await shared.state.get(shared.keys.records_withdrawn(session, "audio")) is not None
    with pytest.raises(SessionNotFound):
        await consents.say("0" * 32, ConsentWord(classes=("audio",), given=False), by="u")


async def test_only_so_much_can_be_said(shared: TaskContext) -> None:
    """A record stays small."""
    consents, session = await running(shared)
    word = ConsentWord(classes=("audio",), text_version="1", proof="p" * 2000)
    for _ in range(MAX_SAID // 3000):
        await consents.say(session, word, by="u")
    with pytest.raises(SessionLimitExceeded):
        await asyncio.gather(*(consents.say(session, word, by="u") for _ in range(20)))


async def test_what_began_before_the_consent_is_not_kept_though_it_was_logged_after(
    shared: TaskContext, tmp_path: Path
) -> None:
    """A sentence and an answer are logged when they are over."""
    file, now = tmp_path / "retention.yaml", time.time()
    policies = [{"id": "w", "class": "transcript", "ttl": "P7D", "consent": "required"}]
    stored = {"store": f"file://{tmp_path / 'records'}", "subject_key": "k" * 40, "policies": policies}
    file.write_text(yaml.safe_dump(stored))
    cabinet = Cabinet.open(file, shared.state, shared.keys)
    agreed = ({"classes": ["transcript"], "given": True, "at": now - 5},)
    ended = a_record(state=SessionState.ENDED, created_at=now - 60, ended_at=now, consent=agreed)
    record = replace(ended, retention=cabinet.rules_for(ended))
    await shared.store.create(record)
    for turn, began in enumerate((now - 9, now - 4)):
        times = {"from": round(began * 1000), "to": round(began * 1000) + 3000}
        said = {"type": "transcript", "final": True, "turn": turn}
        await shared.store.append_log(record.id, {**said, "role": "user", "text": f"asked {turn}", **times})
        spoken = [{"text": f"told {turn}", **times}]
        await shared.store.append_log(record.id, {**said, "role": "agent", "text": f"told {turn}", "spoken": spoken})
    await keep(cabinet, shared.state, shared.keys, record, None)
    (kept,) = (tmp_path / "records").rglob("transcript.json")
    assert [one["text"] for one in json.loads(kept.read_text())["segments"]] == ["asked 1", "told 1"]
