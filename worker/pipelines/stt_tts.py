"""The conversation of ear, agent and mouth: speech to text, the agent's task, text to speech."""

from __future__ import annotations

from voicebackend.conversation import Conversation
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import Engines, TransportLink
from voicebackend.retry import RetryPolicy
from worker.pipelines.ear import Ear
from worker.pipelines.hearing import Listener
from worker.pipelines.meter import Meter
from worker.pipelines.mouth import RETRY, Mouth
from worker.pipelines.parts import Agent, Log
from worker.pipelines.resumable_dialogue import ResumableDialogue
from worker.pipelines.screened import ScreenedListener
from worker.processors import Processors


class SttTtsPipeline(ResumableDialogue):
    """Ours from end to end."""

    def __init__(
        self,
        *,
        engines: Engines,
        link: TransportLink,
        log: Log,
        processors: Processors,
        agent: Agent,
        conversation: Conversation,
        retry: RetryPolicy = RETRY,
        meter: Meter | None = None,
        screened: bool = False,
        voice: bool = False,
    ) -> None:
        """``screened``: the log is to say whether a person or a machine is there; ``voice``: the agent hears, too."""
        if engines.stt is None or engines.tts is None or engines.vad is None:
            raise InvalidConfig("pipeline", "stt_tts needs engines for stt, tts and vad")
        mouth = Mouth(engines.tts, link, processors, retry=retry, meter=meter)
        super().__init__(mouth=mouth, link=link, log=log, agent=agent, conversation=conversation)
        listener: Listener = ScreenedListener(self, self.note) if screened else self
        self._ear = Ear(engines, processors, listener, conversation.endpointing, mouth.meter, voice=voice)
