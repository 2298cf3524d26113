"""A speech-to-speech engine made of several: when one fails, the next goes on with what was said so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from providers.failover.candidates import Candidates
from providers.failover.conversation import Terms, converse
from providers.failover.switch import OnSwitch, Switch, nobody
from voicebackend.agents import HistoryEntry
from voicebackend.interfaces import S2sStream, SpeechToSpeech


class FailoverS2s(SpeechToSpeech):
    """Holds a conversation by the first of its engines that can, all at the first one's rate.

    A conversation that went to another engine stays with it; the first is tried again by the next one.
    """

    def __init__(
        self,
        engines: Candidates[SpeechToSpeech],
        *,
        timeout_s: float | None = None,
        lent_timeout_s: float | None = None,
        hold_tone: bool = False,
        on_switch: OnSwitch = nobody,
    ) -> None:
        """``timeout_s``: seconds of silence after the caller's turn after which a model counts as hung; None never.

        ``lent_timeout_s``: the same for one that answers nothing itself, but hears and speaks for an agent.
        ``hold_tone``: whether the caller hears that the line is alive while a model is silent.
        """
        super().__init__()
        first = engines[0]
        self.name = first.name  # type: ignore[misc]  # a class's elsewhere; this one stands for another
        self.sample_rate, self.can_say = first.sample_rate, first.can_say
        self.takes_text, self.remembers = first.takes_text, first.remembers
        self.engines, self.timeout_s, self.on_switch = engines, timeout_s, on_switch
        self.lent_timeout_s, self.hold_tone = lent_timeout_s, hold_tone
        self._speaks = first.name

    @property
    def at_work(self) -> str:
        """The name of the engine that holds the session's conversation."""
        return self._speaks

    def noting(self, on_switch: OnSwitch) -> FailoverS2s:
        """Return the same for one session, which hears of switches."""

        def heard(switch: Switch) -> None:
            session._speaks = switch.to
            on_switch(switch)

        session = FailoverS2s(
            self.engines,
            timeout_s=self.timeout_s,
            lent_timeout_s=self.lent_timeout_s,
            hold_tone=self.hold_tone,
            on_switch=heard,
        )
        return session

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Open a conversation with the first engine that can."""
        return await converse(
            self.engines,
            Terms(metadata=metadata, answers=answers),
            history,
            sample_rate=self.sample_rate,
            timeout_s=self.timeout_s if answers else self.lent_timeout_s,
            hold_tone=self.hold_tone,
            on_switch=self.on_switch,
        )
