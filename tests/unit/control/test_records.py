"""What of records is pure: paths, policies, subjects, receipts."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.records.data_class import DataClass
from control.records.entry import Entry
from control.records.paths import ObjectPath
from control.records.policy import NOTHING, About, RetentionSettings, Rule, restored, snapshot
from control.records.receipt import Head, Receipt, broken, chained
from control.records.subjects import Subjects
from voicebackend.errors import InvalidConfig, InvalidFormat

SESSION = "0123456789abcdef" * 2
KEY = "k" * 32
POLICIES = [
    {"id": "transcripts", "class": "transcript", "ttl": "P30D"},
    {"id": "acme", "class": "transcript", "tenant": "acme", "ttl": "P7D"},
    {"id": "acme-sales", "class": "transcript", "tenant": "acme", "agent": "sales", "ttl": "P1D"},
    {"id": "sales", "class": "transcript", "agent": "sales", "ttl": "P2D"},
    {"id": "no-audio", "class": "audio", "store": "none", "ttl": "P9D"},
    {"id": "long", "class": "transcript", "retention": "voice-90d", "ttl": "P90D"},
]


def settings(*policies: dict[str, Any]) -> RetentionSettings:
    """Return settings with these policies."""
    return RetentionSettings.of({"store": "memory:///", "subject_key": KEY, "policies": list(policies) or POLICIES})


def test_a_path_is_read_back_as_it_was_written() -> None:
    """Tenant first, day of the session's start in UTC."""
    path = ObjectPath.of("acme", DataClass.AUDIO, SESSION, "call.flac", began=86_399.9)
    assert str(path) == f"acme/audio/1970/01/01/{SESSION}/call.flac"
    assert ObjectPath.parse(str(path)) == path


@pytest.mark.parametrize(
    "text",
    [
        f"../audio/1970/01/01/{SESSION}/a",
        f"acme/audio/1970/01/01/{SESSION}/..",
        f"acme/audio/1970/13/01/{SESSION}/a",
        f"acme/secrets/1970/01/01/{SESSION}/a",
        f"acme/audio/1970/01/01/{SESSION}/a\n",
        f"acme/audio/1970/01/01/{SESSION}/a/b",
        "acme/audio/1970/01/01/x/a",
        "",
    ],
)
def test_what_is_no_path_of_ours_is_refused(text: str) -> None:
    """Nothing climbs out of its tenant."""
    with pytest.raises(InvalidFormat):
        ObjectPath.parse(text)


def test_a_path_that_could_not_be_read_back_is_not_made() -> None:
    """A tenant's name is checked here too."""
    with pytest.raises(InvalidFormat):
        ObjectPath("a/b", DataClass.AUDIO, date(2026, 1, 1), SESSION, "a")


@pytest.mark.parametrize(
    ("about", "kind", "policy", "days"),
    [
        (About("other"), "transcript", "transcripts", 30),
        (About("acme"), "transcript", "acme", 7),
        (About("acme", "sales"), "transcript", "acme-sales", 1),
        (About("other", "sales"), "transcript", "sales", 2),
        (About("other", "", "voice-90d"), "transcript", "long", 90),
        (About("acme", "", "voice-90d"), "transcript", "acme", 7),
        (About("acme"), "audio", "no-audio", 0),
        (About("acme"), "metadata", "no-audio", 0),
        (About("acme"), "dtmf", "", 0),
    ],
)
def test_the_most_specific_policy_counts(about: About, kind: str, policy: str, days: int) -> None:
    """Tenant before agent before route; where no policy is for the class, the shortest time of any that fits."""
    assert settings().rule(DataClass(kind), about) == Rule(policy, days * 86_400.0)


def test_where_no_policy_is_for_a_session_nothing_is_kept() -> None:
    """Never for ever."""
    found = settings({"id": "a", "class": "audio", "tenant": "acme", "ttl": 60}).rules(About("other"))
    assert settings({"id": "a", "class": "trace", "ttl": 60}).rule(DataClass.AUDIO, About("other")) == NOTHING
    assert set(found.values()) == {NOTHING}


def test_the_rules_of_a_session_are_read_back() -> None:
    """What a record does not name is not kept."""
    rules = settings().rules(About("acme", "sales"))
    assert restored(snapshot(rules), DataClass.TRANSCRIPT) == rules[DataClass.TRANSCRIPT]
    assert restored({}, DataClass.TRANSCRIPT) == NOTHING


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"policies": []}, "policies"),
        ({"policies": [POLICIES[0], {**POLICIES[0], "ttl": 1}]}, "policies"),
        ({"policies": [POLICIES[0], {**POLICIES[0], "id": "b"}]}, "policies"),
        ({"policies": [{"id": "a", "class": "nothing", "ttl": 1}]}, "policies.0.class"),
        ({"policies": [{"id": "a", "class": "audio", "ttl": -1}]}, "policies.0.ttl"),
        ({"policies": [{"id": "a", "class": "audio", "ttl": "P99Y"}]}, "policies.0.ttl"),
        ({"policies": [{"id": "a", "class": "audio", "store": "redacted"}]}, "policies.0.store"),
        ({"subject_key": "short"}, "subject_key"),
        ({"subject_key": "change-me-to-32-characters-or-more"}, "subject_key"),
        ({"other": 1}, "other"),
    ],
)
def test_wrong_settings_are_refused_by_the_name_of_the_field(change: dict[str, Any], field: str) -> None:
    """And the key is not shown."""
    data = {"store": "memory:///", "subject_key": KEY, "policies": POLICIES} | change
    with pytest.raises(InvalidConfig) as caught:
        RetentionSettings.of(data)
    assert caught.value.details["field"] == field
    assert KEY not in str(caught.value)


def test_a_subject_is_found_by_its_tenant_only_and_not_told() -> None:
    """The same number at two tenants is two subjects."""
    subjects = Subjects(KEY.encode())
    assert subjects.of("a", "+12025550111") != subjects.of("b", "+12025550111")
    assert subjects.all("a", ["u", "", "u"]) == (subjects.of("a", "u"),)
    assert KEY not in repr(subjects)


@given(st.integers(1, 30), st.data())
def test_a_chain_shows_what_was_changed_taken_out_or_put_in(count: int, data: st.DataObject) -> None:
    """By the number of the first receipt that does not follow."""
    entries = [
        Entry(id=str(number), path="p", tenant="t", data_class="audio", session="s", due=0.0) for number in range(count)
    ]
    receipts = chained(entries, Head(), at=1.0)
    assert broken(receipts, Head()) is None
    assert [Receipt.parse(receipt.line) for receipt in receipts] == receipts
    place = data.draw(st.integers(0, count - 1))
    changed = [*receipts]
    changed[place] = dataclasses.replace(receipts[place], size=receipts[place].size + 1)
    if place + 1 < count:
        assert broken(changed, Head()) == place + 2
        assert broken(receipts[:place] + receipts[place + 1 :], Head()) == place + 2
    assert broken([*receipts, receipts[place]], Head()) == receipts[place].number
