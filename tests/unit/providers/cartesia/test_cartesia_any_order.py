"""Whatever comes in whatever order: no word strays into another utterance, and no turn that was cut off is heard."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers.cartesia.s2s_codec import AgentTurns
from providers.cartesia.stt_codec import FINALIZE, Utterances

OPS = st.lists(st.sampled_from(["word", "word", "pause", "finish", "discard", "vendor", "vendor"]), max_size=60)


class Vendor:
    """An ear that is as slow as it likes: what was sent waits until it is taken."""

    def __init__(self, said: Utterances) -> None:
        self._said = said
        self._sent: list[str] = []
        self._heard: list[str] = []
        self._told = False

    def send(self, item: str) -> None:
        """Take a word, or ``finalize``."""
        self._sent.append(item)

    def work(self) -> None:
        """Answer to the first of what was sent."""
        if not self._sent:
            return
        item = self._sent.pop(0)
        if item != FINALIZE:
            self._heard.append(item)
            self._tell(is_final=False)
            return
        if self._heard:
            self._tell(is_final=True)
            self._told = True
        self._heard.clear()
        self._said.take({"type": "flush_done"})

    def _tell(self, *, is_final: bool) -> None:
        text = (" " if self._told else "") + " ".join(self._heard)
        self._said.take({"type": "transcript", "is_final": is_final, "text": text})


class Session:
    """A caller who says numbers, and who listens."""

    def __init__(self) -> None:
        self.said = Utterances()
        self.vendor = Vendor(self.said)
        self._number = self._paused = 0
        self._words: list[str] = []

    def do(self, op: str) -> None:
        """Take a step."""
        getattr(self, f"_{op}")()

    def _word(self) -> None:
        self._number += 1
        self._words.append(str(self._number))
        self.said.heard()
        self.vendor.send(self._words[-1])

    def _pause(self) -> None:
        self._paused = len(self._words)
        if self.said.pause():
            self.vendor.send(FINALIZE)

    def _vendor(self) -> None:
        self.vendor.work()

    def _finish(self) -> None:
        if self.said.finish():
            self.vendor.send(FINALIZE)
            self._paused = len(self._words)
        for _ in range(200):
            if self.said.is_known:
                break
            self.vendor.work()
        assert self.said.is_known
        text = self.said.text.split()
        assert text == self._words[: len(text)]
        assert len(text) >= self._paused
        self._discard()

    def _discard(self) -> None:
        if self.said.end():
            self.vendor.send(FINALIZE)
        self._words, self._paused = [], 0


@given(ops=OPS)
def test_each_utterance_has_its_own_words(ops: list[str]) -> None:
    """All of them up to the last pause, in order, however late the vendor answers."""
    session = Session()
    for op in [*ops, "finish", "word", "finish"]:
        session.do(op)


AUDIO = {"type": "audio_output", "audio": base64.b64encode(b"\x01\x02").decode()}
TURN = st.integers(1, 4)
MESSAGES = st.one_of(
    st.just(AUDIO),
    st.just({"type": "audio_output_clear"}),
    st.builds(
        lambda kind, turn, role, cut: {"type": kind, "turn": turn, "role": role, "text": "x", "interrupted": cut},
        st.sampled_from(["turn_started", "turn_output_text_delta", "turn_ended"]),
        TURN,
        st.sampled_from(["user", "assistant"]),
        st.booleans(),
    ),
)


@given(messages=st.lists(st.one_of(MESSAGES, st.just("cut")), max_size=40))
def test_what_was_cut_off_is_not_heard(messages: list[Any]) -> None:
    """Nothing of the agent's comes between being cleared, and its next turn; each answer that is heard of ends."""
    turns, silent, open_ = AgentTurns(), False, False
    for message in messages:
        if message == "cut":
            turns.cut()
            continue
        begins = message.get("type") == "turn_started" and message.get("role") == "assistant"
        for event in turns.take(message):
            assert not (silent and event.kind in {"audio", "agent_text"})
            open_ = event.kind in {"audio", "agent_text"} or (open_ and event.kind != "turn_done")
        silent = not begins and (silent or message.get("type") == "audio_output_clear")
    ended = turns.take({"type": "audio_output_clear"})
    assert [event.kind for event in ended if event.kind == "turn_done"] == ["turn_done"] or not open_
