"""What the next model is told of the conversation so far."""

from __future__ import annotations

from providers.failover.memory import Memory


def test_words_that_come_after_the_interruption_are_remembered() -> None:
    """They are of the answer that was cut off, not of the one that is under way by now."""
    memory = Memory([])
    said = memory.begins()
    said.text, said.made_ms = "One thing.", 5_000.0
    memory.cut(2_000)
    memory.understood("stop", answered=False)
    memory.begins().text = "Yes?"
    memory.heard_later("And another")
    assert [(entry.role, entry.text, entry.interrupted) for entry in memory.entries()] == [
        ("agent", "One thing. And another", True),
        ("user", "stop", False),
        ("agent", "Yes?", False),
    ]


def test_words_of_nothing_that_was_cut_off_are_forgotten() -> None:
    """There is no answer that they could belong to."""
    memory = Memory([])
    memory.begins().text = "Hello."
    memory.heard_later("And another")
    assert [entry.text for entry in memory.entries()] == ["Hello."]
