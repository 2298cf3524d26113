"""Answers one after the other, and texts that are given to be said."""

from __future__ import annotations

from openai_vendor import SECOND, Vendor


def test_a_given_text_is_remembered_as_far_as_it_was_heard() -> None:
    """By a model that answers; where an agent does, that remembers."""
    for by_itself in (True, False):
        vendor = Vendor(answers=by_itself)
        answer, outcome = vendor.dialogue.say("one two three four")
        vendor.note(outcome)
        vendor.note(vendor.dialogue.spoken(answer, SECOND))
        vendor.note(vendor.dialogue.said(answer))
        vendor.interrupt(389.0)
        texts = [message["item"]["content"][0]["text"] for message in vendor.messages if "item" in message]
        assert texts == (["one two three four", "one two"] if by_itself else [])
        assert vendor.told == ["agent_text one two three four", "audio 48000", "turn_done"]


def test_a_given_text_of_which_nothing_was_heard_is_forgotten() -> None:
    """And one that was heard whole stays as it is."""
    for played_ms, expected in ((0.0, ["conversation.item.delete"]), (1000.0, [])):
        vendor = Vendor()
        answer, outcome = vendor.dialogue.say("one two")
        vendor.dialogue.spoken(answer, SECOND)
        vendor.dialogue.said(answer)
        vendor.interrupt(played_ms)
        assert vendor.kinds == expected
        assert outcome.messages[0]["item"]["id"] == answer.item_id or played_ms == 0.0


def test_answers_wait_for_the_one_before() -> None:
    """The model begins while a text is being spoken: it is heard after that, whole."""
    vendor = Vendor()
    answer, outcome = vendor.dialogue.say("welcome")
    vendor.note(outcome)
    vendor.begins("a")
    vendor.speaks("a", "hello")
    vendor.ends("a")
    vendor.begins("b")
    vendor.speaks("b", "again")
    vendor.note(vendor.dialogue.spoken(answer, SECOND))
    assert vendor.told == ["agent_text welcome", "audio 48000"]
    vendor.note(vendor.dialogue.said(answer))
    vendor.speaks("b", "more")
    assert vendor.told[2:] == [
        *("turn_done", "agent_text hello", "audio 48000", "turn_done"),
        *("agent_text again", "audio 48000", "agent_text more", "audio 48000"),
    ]


def test_an_answer_whose_end_was_never_told_holds_nobody_up() -> None:
    """The vendor makes one at a time."""
    vendor = Vendor()
    vendor.begins("a")
    vendor.speaks("a", "hello")
    vendor.begins("b")
    vendor.speaks("b", "again")
    assert vendor.told[2:] == ["turn_done", "agent_text again", "audio 48000"]


def test_an_answer_that_waits_can_be_cut() -> None:
    """Its end alone is told, in its turn."""
    vendor = Vendor()
    answer, outcome = vendor.dialogue.say("welcome")
    vendor.note(outcome)
    vendor.begins("a")
    vendor.speaks("a", "hello")
    vendor.interrupt(0.0)
    vendor.note(vendor.dialogue.said(answer))
    assert vendor.told == ["agent_text welcome", "turn_done", "turn_done"]
