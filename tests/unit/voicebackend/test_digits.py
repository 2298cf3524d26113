"""Keys that an agent asks for: what it may ask, what it is told, and what nobody is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from no_seal import NoSeal

from voicebackend.agents import Turn
from voicebackend.digits import CollectDigits, Collected, Digits, KeysEnd, SealedDigits
from voicebackend.errors import AgentError, InvalidConfig, InvalidFormat
from voicebackend.remote.calls import decode, encode
from voicebackend.sealing import Seal

SESSION, SECRET = "a" * 32, "s" * 32
KEYS = st.text("0123456789ABCD*#", max_size=64)


def collected(keys: str, *, sensitive: bool) -> Collected:
    """Return keys that were pressed."""
    return Collected.of(keys, KeysEnd.UNTIL, Seal(SECRET, SESSION), sensitive=sensitive)


@given(KEYS)
def test_what_is_sealed_can_be_read_by_who_knows_the_secret_of_its_session(keys: str) -> None:
    """And by nobody else; twice the same is sealed differently."""
    sealed = Seal(SECRET, SESSION).seal(keys)
    assert Seal(SECRET, SESSION).open(sealed) == keys
    assert Seal(SECRET, SESSION).seal(keys) != sealed
    for other in (Seal("t" * 32, SESSION), Seal(SECRET, "b" * 32)):
        with pytest.raises(InvalidFormat):
            other.open(sealed)


@pytest.mark.parametrize("sealed", ["", "AAAA", "ä", "not base64!", "A" * 80])
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    """Whatever it is."""
    with pytest.raises(InvalidFormat):
        Seal(SECRET, SESSION).open(sealed)


@given(KEYS)
def test_of_sensitive_keys_nothing_is_told_but_their_number(keys: str) -> None:
    """Neither in words, nor to the agent, nor where it is printed."""
    found = collected(keys, sensitive=True)
    told = json.loads(found.told())
    assert told == {"count": len(keys), "ended": "until", "value": "", "sensitive": True}
    assert found.text == f"[{len(keys) or 'no'} digit{'' if len(keys) == 1 else 's'}]"
    assert repr(found) == f"Collected(count={len(keys)}, ended=<KeysEnd.UNTIL: 'until'>, sensitive=True)"


def test_other_keys_are_told_as_they_are() -> None:
    """In the transcript, and to the agent; none are told as none."""
    found = collected("12", sensitive=False)
    assert found.text == "12"
    digits = Digits.of(found.told(), SealedDigits(lambda: "never asked", NoSeal()))
    assert (digits.value, digits.reveal(), digits.count, digits.ended) == ("12", "12", 2, KeysEnd.UNTIL)
    none = collected("", sensitive=False)
    assert none.text == "[no digits]"
    assert Digits.of(none.told(), SealedDigits(lambda: "never asked", NoSeal())).reveal() == ""


def test_sensitive_digits_are_revealed_once() -> None:
    """Whoever asks again is told that they are gone."""
    left = ["12"]
    source = SealedDigits(lambda: left.pop() if left else None, NoSeal())
    digits = Digits.of(collected("12", sensitive=True).told(), source)
    assert (digits.value, digits.reveal(), digits.count) == (None, "12", 2)
    assert "source" not in repr(digits)
    with pytest.raises(AgentError):
        digits.reveal()
    with pytest.raises(AgentError):
        Digits(count=2, ended=KeysEnd.MAX, sensitive=True).reveal()


def test_an_agent_asks_for_keys() -> None:
    """With the defaults of everything that it does not name."""
    asked: list[CollectDigits] = []
    turn = Turn(session_id=SESSION, number=1, transcript="hello", keypad=asked.append)
    turn.collect_digits(max_digits=4, again=["Please type it."])
    [request] = asked
    assert (request.max_digits, request.until, request.again) == (4, "#", ("Please type it.",))
    assert (request.first_timeout, request.next_timeout, request.speech, request.sensitive) == (8.0, 3.0, True, False)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"max_digits": 0}, "max_digits"),
        ({"max_digits": 65}, "max_digits"),
        ({"until": "x"}, "until"),
        ({"first_timeout": 0}, "first_timeout"),
        ({"first_timeout": float("nan")}, "first_timeout"),
        ({"next_timeout": 31}, "next_timeout"),
        ({"again": [""]}, "again.0"),
        ({"again": ["more"] * 6}, "again"),
        ({"digits": 4}, "digits"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_happens(wanted: dict[str, Any], field: str) -> None:
    """The error names the field."""
    asked: list[CollectDigits] = []
    turn = Turn(session_id=SESSION, number=1, transcript="hello", keypad=asked.append)
    with pytest.raises(InvalidConfig) as refused:
        turn.collect_digits(**wanted)
    assert refused.value.details == {"field": field}
    assert asked == []


def test_a_turn_without_a_caller_may_ask_too() -> None:
    """In an application's tests: nobody presses anything."""
    Turn(session_id=SESSION, number=1, transcript="hello").collect_digits()


def test_to_another_process_a_turn_takes_no_sensitive_digits() -> None:
    """Others it does."""
    source = SealedDigits(lambda: "12", NoSeal())
    for sensitive, value in ((True, None), (False, "12")):
        digits = Digits.of(Collected.of("12", KeysEnd.MAX, NoSeal(), sensitive=sensitive).told(), source)
        payload = encode({}, [Turn(session_id=SESSION, number=1, transcript="x", digits=digits)])
        _, [turn] = decode(payload)
        assert turn.digits.value == value
        assert (turn.digits.count, turn.digits.ended, turn.digits.sensitive) == (2, KeysEnd.MAX, sensitive)
