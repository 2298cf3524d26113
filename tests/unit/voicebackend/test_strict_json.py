"""JSON of strangers: read as the standard library reads it, but for names that stand twice."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.telephony.carriers.carrier import Told
from control.telephony.carriers.vonage import Vonage
from voicebackend.errors import InvalidFormat
from voicebackend.streams import Frame, Kind
from voicebackend.strict_json import read_json, read_message

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""With a machine that does other things, too."""
WORDS = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@PATIENT
@given(VALUES)
def test_what_is_written_once_is_read_as_ever(value: object) -> None:
    """As text and as bytes."""
    text = json.dumps(value)
    assert read_json(text, op="test") == read_json(text.encode(), op="test") == value


@PATIENT
@given(WORDS, VALUES, VALUES, st.booleans())
def test_a_name_that_stands_twice_is_refused_at_any_depth(name: str, one: object, other: object, inside: bool) -> None:
    """Also with the same value both times, and however it is escaped; the error does not repeat a stranger's words."""
    escaped = "".join(f"\\u{unit:04x}" for unit in memoryview(name.encode("utf-16-le", "surrogatepass")).cast("H"))
    pairs = f'{json.dumps(name)}:{json.dumps(one)},"{escaped}":{json.dumps(other)}'
    with pytest.raises(InvalidFormat) as caught:
        read_json(f'{{"x":[{{{pairs}}}]}}' if inside else f"{{{pairs}}}", op="test")
    assert caught.value.message == "a name stands twice in a JSON object"
    assert caught.value.details == {}


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\uDC00":1}', rb'["\udbff x"]', r'["\ude00\ud83d"]'])
def test_half_a_surrogate_pair_is_a_value_error(text: str | bytes) -> None:
    """Nobody after us could write it as UTF-8."""
    with pytest.raises(ValueError, match="surrogates"):
        read_message(text, op="test")


@pytest.mark.parametrize(("text", "meant"), [(r'"\uD83d\uDe00"', "\U0001f600"), (r'"\\ud800"', r"\ud800")])
def test_a_whole_pair_is_a_character(text: str, meant: str) -> None:
    """And an escaped backslash is one."""
    assert read_message(text, op="test") == meant


@pytest.mark.parametrize("text", ["", "{", "nul", b"\xff", b"\xff\xfe{\x00}\x00", '{"a":1}x'])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    """As of the standard library; whoever reads says what it means."""
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        read_json(text, op="test")


def test_a_frames_payload_has_each_name_once() -> None:
    """Between our processes, too: it may have a stranger's words in it."""
    with pytest.raises(InvalidFormat, match="twice"):
        Frame(session="ab" * 16, kind=Kind.EVENT, payload=b'{"type":"a","type":"b"}').json()


def test_a_webhook_of_vonage_has_each_name_once() -> None:
    """Which call it is must not depend on who reads it."""
    body = b'{"uuid":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","to":"1","to":"2","from":"3"}'
    with pytest.raises(InvalidFormat, match="twice"):
        Vonage().incoming(Told(method="POST", url="https://x", headers={}, form=(), body=body))
