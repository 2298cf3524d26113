"""``turn.consent``: what the caller says of consent, told by the agent that heard it, once over all attempts."""

from __future__ import annotations

from control import loop
from control.sessions.consents import Consents
from voicebackend.agents import Once
from voicebackend.consent import ConsentWord
from voicebackend.errors import AgentError, VoiceBackendError

SAY_S = 5.0
"""Seconds that it may take."""


class ConsentRequest:
    """One turn's; for plain functions, in any thread, as ``OnceInTurn`` is. ``agent`` is the agent's name."""

    def __init__(self, consents: Consents, session: str, *, agent: str, once: Once) -> None:
        self._consents, self._session, self._agent, self._once = consents, session, agent, once

    def __call__(self, word: ConsentWord) -> None:
        """Take it; the same word counts once in a turn.

        Raises:
            AgentError: it could not be taken, or nobody waits for this turn any more.

        """
        self._once(f"consent:{word.given}:{','.join(word.classes)}", lambda: self._say(word))

    def _say(self, word: ConsentWord) -> bool:
        try:
            loop.run(self._consents.say(self._session, word, by=f"agent:{self._agent}"), SAY_S)
        except VoiceBackendError as error:
            raise AgentError("consent", error.message, details=error.details) from error
        return True
