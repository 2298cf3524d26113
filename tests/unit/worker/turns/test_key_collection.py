"""Collecting keys: when it ends, and with what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend.digits import LONGEST_S, PROMPT_S, CollectDigits, KeysEnd
from worker.turns.key_collection import PHASES, KeyCollection, Phase, Step

KEYS = "0123456789ABCD*#"


def opened(**wanted: object) -> KeyCollection:
    """Return a collection as it is opened at 0 s."""
    return KeyCollection(request=CollectDigits.model_validate(wanted), opened=0.0)


@pytest.mark.parametrize(
    ("wanted", "pressed", "keys", "ended"),
    [
        ({"max_digits": 4}, "1234", "1234", KeysEnd.MAX),
        ({"max_digits": 4}, "12345", "1234", KeysEnd.MAX),
        ({"max_digits": 4}, "12#", "12", KeysEnd.UNTIL),
        ({"max_digits": 4}, "#", "", KeysEnd.UNTIL),
        ({"max_digits": 4, "until": "*0"}, "120", "12", KeysEnd.UNTIL),
        ({"max_digits": 4, "until": ""}, "1#*2", "1#*2", KeysEnd.MAX),
        ({"max_digits": 4}, "123", "123", None),
    ],
)
def test_it_ends_with_the_last_key_that_is_wanted(
    wanted: dict[str, object], pressed: str, keys: str, ended: KeysEnd | None
) -> None:
    """So many as asked for, or the one that ends it; more change nothing."""
    collection = opened(**wanted)
    for at, key in enumerate(pressed):
        collection = collection.pressed(key, at / 10)
    assert (collection.keys, collection.ended) == (keys, ended)


def test_the_first_key_is_waited_for_once_nobody_speaks() -> None:
    """Not while the agent says what it wants."""
    speaking = opened(first_timeout=8)
    assert speaking.due == PROMPT_S + 8 + 16 * 3
    waiting = speaking.prompted(20.0)
    assert waiting.due == 28.0
    assert waiting.prompted(25.0).due == 28.0
    assert waiting.waited(27.9) is waiting
    assert waiting.waited(28.0).ended is KeysEnd.TIMEOUT


def test_each_key_gives_time_for_the_next() -> None:
    """As much as asked for, from the key on."""
    collection = opened(next_timeout=3).pressed("1", 5.0).pressed("2", 7.0)
    assert collection.due == 10.0
    over = collection.waited(10.0)
    assert (over.keys, over.ended, over.due) == ("12", KeysEnd.TIMEOUT, None)


def test_who_presses_nothing_is_asked_again_as_often_as_there_are_words() -> None:
    """Each time the first key is waited for anew; some keys and then none is not nothing."""
    collection = opened(first_timeout=8, again=["Once more.", "And again."]).prompted(0.0)
    once = collection.waited(8.0)
    assert (once.phase, once.said_again, once.ended) == (Phase.PROMPT, 1, None)
    twice = once.prompted(10.0).waited(18.0)
    assert (twice.phase, twice.said_again) == (Phase.PROMPT, 2)
    assert twice.prompted(20.0).waited(28.0).ended is KeysEnd.TIMEOUT
    assert once.pressed("1", 9.0).waited(12.0).ended is KeysEnd.TIMEOUT


def test_no_collection_is_open_for_ever() -> None:
    """Whoever goes on speaking, or typing."""
    assert opened().waited(PROMPT_S + 8 + 16 * 3).ended is KeysEnd.TIMEOUT
    typing = opened(max_digits=64, next_timeout=30).pressed("1", LONGEST_S - 1)
    assert typing.waited(LONGEST_S).ended is KeysEnd.TIMEOUT


def test_time_on_hold_does_not_count() -> None:
    """It waits anew."""
    rested = opened(first_timeout=8).prompted(0.0).rested(1007.0, 1000.0)
    assert rested.due == 1015.0
    assert rested.pressed("1", 1010.0).due == 1013.0


def test_what_is_over_stays_as_it_is() -> None:
    """Whatever happens; the first reason counts."""
    over = opened(max_digits=1).pressed("1", 0.0)
    assert over.pressed("2", 1.0) is over
    assert over.waited(1e6) is over
    assert over.over(KeysEnd.SPEECH) == over
    assert over.prompted(1.0) is over


def test_the_table_leads_nowhere_after_the_end() -> None:
    """Every other phase can end."""
    assert not [phase for phase, _ in PHASES if phase is Phase.OVER]
    assert all((phase, Step.ENDED) in PHASES for phase in Phase if phase is not Phase.OVER)


STEPS = st.lists(
    st.tuples(st.floats(0, 20), st.one_of(st.sampled_from(KEYS), st.sampled_from(["prompted", "wait", "rest"]))),
    max_size=80,
)
REQUESTS = st.builds(
    CollectDigits,
    max_digits=st.integers(1, 64),
    until=st.text(KEYS, max_size=4),
    first_timeout=st.floats(0.1, 60),
    next_timeout=st.floats(0.1, 30),
    again=st.lists(st.just("Again."), max_size=5).map(tuple),
)


@given(REQUESTS, STEPS)
def test_whatever_happens_it_keeps_its_word(request: CollectDigits, steps: list[tuple[float, str]]) -> None:
    """Never too many keys, never one that ends it among them; keys are those pressed; it always has an end."""
    now, pressed = 0.0, ""
    collection = KeyCollection(request=request, opened=0.0)
    for seconds, step in steps:
        now += seconds
        before = collection = collection.waited(now)
        if step == "prompted":
            collection = collection.prompted(now)
        elif step == "rest":
            collection = collection.rested(now, 0.0)
        elif step != "wait":
            collection = collection.pressed(step, now)
            if before.ended is None and step not in request.until:
                pressed += step
        assert collection.keys == pressed
        assert len(collection.keys) <= request.max_digits
        assert not set(collection.keys) & set(request.until)
        assert (collection.ended is not None) == (collection.phase is Phase.OVER) == (collection.due is None)
        assert collection.said_again <= len(request.again)
        if before.ended is not None:
            assert collection == before
    for _ in range(2 * len(request.again) + 3):
        collection = collection.prompted(now).waited(now := now + LONGEST_S)
    assert collection.ended is not None
