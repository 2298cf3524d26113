"""Whatever an agent sends, in whatever order: answers stay whole, and nothing but errors of ours comes of nonsense."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from providers.elevenlabs.answers import Answers, Said, State
from providers.elevenlabs.codec import Answer, Answered, Interrupted, Speech, read
from providers.elevenlabs.formats import Downlink, WireFormat
from providers.elevenlabs.words import Letters
from voicebackend.errors import VoiceBackendError

IDS = st.integers(0, 5)
LETTERS = st.none() | st.just(Letters(["a", " "], [0.0, 0.005], [0.005, 0.01]))
AUDIO = st.sampled_from([b"", b"\x01", b"\x01\x00" * 80])
MESSAGES = st.one_of(
    st.builds(Speech, AUDIO, IDS, LETTERS, st.booleans()),
    st.builds(Answer, st.sampled_from(["", "a b"])),
    st.builds(Answered),
    st.builds(Interrupted, IDS),
)
ACTS = st.lists(MESSAGES | st.sampled_from(["cut", "end", "asked"]), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = {
    "audio": "audio_event",
    "user_transcript": "user_transcription_event",
    "agent_response": "agent_response_event",
    "interruption": "interruption_event",
    "ping": "ping_event",
    "client_tool_call": "client_tool_call",
    "error": "error_event",
    "conversation_initiation_metadata": "conversation_initiation_metadata_event",
}
FIELDS = st.sampled_from(
    [
        "audio_base_64",
        "event_id",
        "alignment",
        "user_transcript",
        "agent_response",
        "tool_call_id",
        "code",
        "error_type",
    ]
)


def acted(answers: Answers, act: Any, now: float) -> list[Said]:
    """Do one thing, and return what comes of it."""
    match act:
        case "cut":
            return answers.cut()
        case "end":
            return answers.end()
        case "asked":
            answers.asked()
            return []
        case _:
            return answers.take(act, now)


@given(ACTS, st.booleans(), st.sampled_from([8_000, 16_000, 24_000]))
def test_answers_come_one_after_the_other_and_end_once(acts: list[Any], greets: bool, rate: int) -> None:
    """Each ends before the next begins, and nothing of it comes after its end."""
    answers, said = Answers(Downlink(WireFormat(rate), 16_000), 16_000, greets=greets), list[Said]()
    for now, act in enumerate(acts):
        found = acted(answers, act, float(now))
        if answers.state is State.IDLE:
            assert answers.due is None
        said += found
    said += answers.end()
    over = 0
    for one in said:
        assert one.answer > over
        assert all(other.answer >= one.answer for other in said[said.index(one) :])
        if one.event.kind == "turn_done":
            over = one.answer
    assert {one.answer for one in said} == {one.answer for one in said if one.event.kind == "turn_done"}
    assert all(len(one.event.pcm) % 2 == 0 for one in said)


@given(ACTS)
def test_what_was_cut_is_not_heard_of_again(acts: list[Any]) -> None:
    """But for what comes after it."""
    answers = Answers(Downlink(WireFormat(16_000), 16_000), 16_000, greets=True)
    answers.take(Speech(b"\x01\x00" * 80, 9), 0)
    assert [one.event.kind for one in answers.cut()] == ["turn_done"]
    found = [one for now, act in enumerate(acts) for one in acted(answers, act, float(now))]
    assert all(one.answer > 1 for one in found)


@example("ping", {"event_id": float("inf")})
@given(st.sampled_from(sorted(KINDS)), st.dictionaries(FIELDS, JSON, max_size=5) | JSON)
def test_nonsense_is_an_error_of_ours_or_nothing(kind: str, body: Any) -> None:
    """Never another."""
    assert outcome({"type": kind, KINDS[kind]: body}) in {"read", "passed over", "refused"}


def outcome(message: dict[str, Any]) -> str:
    """Return what becomes of a message."""
    try:
        return "passed over" if read(message) is None else "read"
    except VoiceBackendError:
        return "refused"
