"""What the vendor's events mean, and what is said back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from openai_vendor import Vendor

from voicebackend.errors import ConnectionFailed, RateLimitExceeded


def test_a_turn_from_beginning_to_end() -> None:
    """Speech is noticed, words and answer come, and nothing is said back."""
    vendor, words = Vendor(), "conversation.item.input_audio_transcription"
    vendor.hears_speech()
    vendor.sends(f"{words}.delta", item_id="i", delta="good")
    vendor.sends(f"{words}.delta", item_id="i", delta=" day")
    vendor.begins("a")
    vendor.speaks("a", "hello")
    vendor.sends(f"{words}.completed", item_id="i", transcript="Good day. ")
    vendor.ends("a")
    assert vendor.told == [
        *("speech_started", "speech_stopped", "user_text good", "user_text good day"),
        *("agent_text hello", "audio 48000", "user_text Good day.", "turn_done"),
    ]
    assert vendor.messages == []


def test_words_that_could_not_be_written_down_are_none() -> None:
    """Nobody waits for them."""
    vendor = Vendor()
    vendor.sends("conversation.item.input_audio_transcription.failed", item_id="i", error={})
    assert vendor.told == ["user_text"]


def test_names_from_before_the_api_was_final_are_known() -> None:
    """Other servers still use them."""
    vendor = Vendor()
    vendor.begins("a")
    vendor.sends("response.audio_transcript.delta", response_id="a", delta="hello")
    vendor.sends("response.audio.delta", response_id="a", item_id="i", delta="AAAAAA==")
    assert vendor.told == ["agent_text hello", "audio 4"]


def test_an_answer_under_way_is_cancelled_and_truncated() -> None:
    """To what was played, and never to more than has come; nothing more of it is told."""
    vendor = Vendor()
    vendor.begins("a")
    vendor.speaks("a", "hello")
    vendor.told.clear()
    vendor.interrupt(1500.0)
    assert vendor.messages == [
        {"type": "response.cancel", "response_id": "a"},
        {"type": "conversation.item.truncate", "item_id": "item-a", "content_index": 0, "audio_end_ms": 1000},
    ]
    vendor.speaks("a", "there")
    vendor.ends("a", "cancelled")
    assert vendor.told == ["turn_done"]


def test_an_answer_that_is_made_is_truncated_only() -> None:
    """Each of its items; one that was heard whole stays as it is."""
    vendor = Vendor()
    vendor.begins("a")
    for item in ("one", "two", "three"):
        vendor.speaks("a", "word", item=item)
    vendor.ends("a")
    vendor.interrupt(1250.5)
    assert [(message["item_id"], message["audio_end_ms"]) for message in vendor.messages] == [
        ("two", 250),
        ("three", 0),
    ]
    vendor.messages.clear()
    vendor.interrupt(5000.0)
    assert vendor.messages == []


def test_what_was_begun_since_the_caller_spoke_goes_on() -> None:
    """Only the answer that was spoken over is cut."""
    vendor = Vendor()
    vendor.begins("a")
    vendor.speaks("a", "one")
    vendor.ends("a")
    vendor.hears_speech()
    vendor.begins("b")
    vendor.speaks("b", "two")
    vendor.interrupt(100.0)
    vendor.speaks("b", "three")
    assert [message.get("item_id") for message in vendor.messages] == ["item-a"]
    assert vendor.told[-2:] == ["agent_text three", "audio 48000"]


def test_an_answer_that_was_heard_whole_stays_as_it_is() -> None:
    """The vendor is told nothing."""
    vendor = Vendor()
    vendor.begins("a")
    vendor.speaks("a", "hello")
    vendor.ends("a")
    vendor.interrupt(5000.0)
    assert vendor.messages == []


def test_an_answer_is_cut_once() -> None:
    """It is shorter already, and the vendor refuses to make it longer."""
    vendor = Vendor()
    vendor.begins("a")
    vendor.speaks("a", "hello")
    vendor.ends("a")
    vendor.interrupt(300.0)
    assert vendor.interrupt(500.0) is None
    assert [message["audio_end_ms"] for message in vendor.messages] == [300]


def test_interrupting_nothing_says_nothing() -> None:
    """There was no answer."""
    vendor = Vendor()
    assert vendor.interrupt(0.0) is None
    assert (vendor.messages, vendor.told) == ([], [])


def test_who_speaks_while_an_answer_is_made_is_answered_after_it() -> None:
    """The vendor may not do it by itself then; if it does, nothing more is asked."""
    for by_itself in (True, False):
        vendor = Vendor()
        vendor.begins("a")
        vendor.hears_speech()
        if by_itself:
            vendor.begins("b")
        vendor.ends("a")
        assert vendor.kinds == ([] if by_itself else ["response.create"])


def test_a_text_is_answered_like_speech() -> None:
    """At once, or when the answer under way has been made."""
    vendor = Vendor()
    vendor.note(vendor.dialogue.tell("hello"))
    assert vendor.kinds == ["conversation.item.create", "response.create"]
    vendor.note(vendor.dialogue.tell("and another"))
    vendor.begins("a")
    assert vendor.kinds[2:] == ["conversation.item.create"]
    vendor.note(vendor.dialogue.tell("third"))
    vendor.ends("a")
    assert vendor.kinds[3:] == ["conversation.item.create", "response.create"]


def test_a_text_that_came_while_the_vendor_began_to_answer_is_answered_after_that() -> None:
    """It refuses the wish, and what it answers was said before the text; asked again, it is not asked for ever."""
    for over in (False, True):
        vendor = Vendor()
        vendor.note(vendor.dialogue.tell("hello"))
        wish = vendor.messages[-1]["event_id"]
        vendor.begins("a")
        if over:
            vendor.ends("a")
        vendor.sends("error", error={"code": "conversation_already_has_active_response", "event_id": wish})
        assert vendor.kinds.count("response.create") == (2 if over else 1)
        if not over:
            vendor.ends("a")
        assert vendor.kinds.count("response.create") == 2
        again = vendor.messages[-1]["event_id"]
        vendor.sends("error", error={"code": "conversation_already_has_active_response", "event_id": again})
        assert vendor.kinds.count("response.create") == 2


def test_speech_that_the_vendor_has_answered_meanwhile_is_not_answered_twice() -> None:
    """It was asked to, because it may not do so by itself; it refuses, and that is the end of it."""
    vendor = Vendor()
    vendor.begins("a")
    vendor.hears_speech()
    vendor.ends("a")
    wish = vendor.messages[-1]["event_id"]
    vendor.begins("b")
    vendor.sends("error", error={"code": "conversation_already_has_active_response", "event_id": wish})
    vendor.ends("b")
    assert vendor.kinds == ["response.create"]


def test_a_wish_that_is_refused_is_an_error() -> None:
    """The caller would wait for ever; errors about anything else are passed over."""
    vendor = Vendor()
    vendor.sends("error", error={"code": "response_cancel_not_active", "event_id": None})
    vendor.sends("error", error="nonsense")
    vendor.note(vendor.dialogue.tell("hello"))
    vendor.sends("error", error={"code": "invalid_value", "event_id": "other"})
    with pytest.raises(ConnectionFailed):
        vendor.sends("error", error={"code": "invalid_value", "event_id": vendor.messages[-1]["event_id"]})


def test_an_answer_that_fails_is_an_error() -> None:
    """Unless nobody wants it any more."""
    for wanted in (True, False):
        vendor = Vendor()
        vendor.begins("a")
        if not wanted:
            vendor.interrupt(0.0)
        failed = {"id": "a", "status": "failed", "status_details": {"error": {"code": "rate_limit_exceeded"}}}
        if wanted:
            with pytest.raises(RateLimitExceeded):
                vendor.sends("response.done", response=failed)
        else:
            vendor.sends("response.done", response=failed)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": 5},
        {"type": "response.created"},
        {"type": "response.created", "response": []},
        {"type": "response.done", "response": {"id": "unknown"}},
        {"type": "response.output_audio.delta", "response_id": "unknown", "delta": "AAAA"},
        {"type": "response.output_audio.delta", "response_id": ["a"], "delta": 5},
        {"type": "conversation.item.input_audio_transcription.delta", "item_id": 5, "delta": None},
        {"type": "error"},
    ],
)
def test_nonsense_harms_nobody(event: dict[str, Any]) -> None:
    """The next answer is told as ever."""
    vendor = Vendor()
    vendor.note(vendor.dialogue.take(event))
    vendor.begins("a")
    vendor.speaks("a", "hello")
    assert vendor.told[-2:] == ["agent_text hello", "audio 48000"]


def test_the_tokens_of_an_answer_are_told() -> None:
    """By unit, as far as the vendor tells; what is no number counts for nothing."""
    vendor = Vendor()
    vendor.begins("a")
    usage = {
        "input_tokens": 90,
        "output_tokens": "many",
        "input_token_details": {"audio_tokens": 80, "text_tokens": 10, "cached_tokens": 0},
        "output_token_details": None,
    }
    outcome = vendor.dialogue.take({"type": "response.done", "response": {"id": "a", "usage": usage}})
    (used,) = [dict(told.event.usage) for told in outcome.told if told.event.kind == "usage"]
    assert used == {"input_tokens": 90.0, "input_audio_tokens": 80.0, "input_text_tokens": 10.0}


def test_audio_that_is_cut_in_a_sample_is_put_together() -> None:
    """Else everything after it would be noise; a number of tokens beyond all bounds is none."""
    dialogue = Vendor().dialogue
    dialogue.take({"type": "response.created", "response": {"id": "r1"}})
    heard = b""
    pieces = [("i1", b"\x01\x02\x03"), ("i1", b"\x04"), ("i1", b""), ("i1", b"\x05\x06\x07"), ("i2", b"\x11\x12")]
    for item, piece in pieces:
        delta = base64.b64encode(piece).decode()
        event = {"type": "response.output_audio.delta", "response_id": "r1", "item_id": item, "delta": delta}
        for told in dialogue.take(event).told:
            assert len(told.event.pcm) % 2 == 0
            heard += told.event.pcm
    assert heard == bytes(range(1, 7)) + b"\x11\x12"  # half a sample at an item's end belongs to no other
    usage = {"input_tokens": 10**400, "output_tokens": 3}
    done = dialogue.take({"type": "response.done", "response": {"id": "r1", "usage": usage}})
    assert [told.event.usage for told in done.told if told.event.usage] == [{"output_tokens": 3.0}]
