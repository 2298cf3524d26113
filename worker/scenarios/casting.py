"""The scripted cast: engines that read and speak tones, a caller who speaks in them."""

from __future__ import annotations

from providers.mock.tones import speak
from voicebackend.audio import PIPELINE_RATE
from voicebackend.interfaces import Engines
from worker.scenarios.engines import ScriptedStt, ScriptedTurn, ScriptedVad
from worker.scenarios.format import Scenario
from worker.scenarios.loudspeaker import Turn
from worker.scenarios.model import ScriptedS2s
from worker.scenarios.replies import AgentScript, in_order, matching
from worker.scenarios.sounds import scripted_noise
from worker.scenarios.steps import Noise, Say
from worker.scenarios.tape import Tape
from worker.scenarios.timeline import Finder
from worker.scenarios.voice import CHARACTER_S, ScriptedTts


class ScriptedSpeaker:
    """Speaks in tones, at once."""

    async def say(self, step: Say, text: str) -> bytes:
        """Return the text in tones."""
        del step
        return speak(text, PIPELINE_RATE, CHARACTER_S)

    def noise(self, step: Noise) -> bytes:
        """Return the noise, as loud as it is like speech."""
        return scripted_noise(step.noise, step.lasts, step.like_speech)


class ScriptedEar:
    """Reads tones."""

    def tape(self, sample_rate: int) -> Tape:
        """Return a tape for one turn."""
        return Tape(sample_rate)

    async def run(self) -> None:
        """Do nothing: tones are read as they come."""

    async def text(self, turn: Turn) -> tuple[str, str]:
        """Return the words that were heard of a turn, and what was heard of one that was cut short."""
        words, whole = [word.text for word in turn.tape.words()], len(turn.words)
        return " ".join(words[:whole]), " ".join(words[whole:])


class Replies:
    """What a model without an agent answers: the scenario's replies, as far as they are text."""

    def __init__(self, script: AgentScript) -> None:
        self._script = script
        self._given = 0

    def __call__(self, transcript: str) -> str:
        """Return the answer to a transcript."""
        reply = matching(self._script, transcript)
        if reply is None:
            reply = in_order(self._script, self._given)
            self._given += 1
        return " ".join(piece.text for piece in reply.say if piece.text)


class ScriptedCast:
    """New engines for each session."""

    finder = Finder()

    def __init__(self) -> None:
        self.speaker, self.ear = ScriptedSpeaker(), ScriptedEar()

    async def open(self) -> None:
        """Do nothing: these engines are always open."""

    def engines(self, scenario: Scenario) -> Engines:
        """Return engines that follow the scenario."""
        said = [step for step in scenario.caller if isinstance(step, Say)]
        told = {step.say: step.finished for step in said if step.finished is not None}
        interim = {step.say: step.interim for step in said if step.interim is not None}
        scripts = scenario.engines
        if scenario.pipeline == "s2s":
            return Engines(s2s=ScriptedS2s(scripts.s2s, Replies(scenario.agent)))
        return Engines(
            stt=ScriptedStt(scripts.stt, interim),
            tts=ScriptedTts(scripts.tts),
            vad=ScriptedVad(),
            turn=ScriptedTurn(scripts.turn, told),
        )
