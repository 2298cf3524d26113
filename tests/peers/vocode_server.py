"""A real Vocode server whose agent listens and answers in tones. Runs where ``vocode`` is.

Vocode's own router, conversation, workers, transcripts and agent base classes are at work; only the models behind
them are ours. ``partials`` has the caller interrupt as soon as it begins to speak, in place of when it has finished;
``greeting=TEXT`` begins a call with that.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator

import uvicorn
from fastapi import FastAPI
from listening import CHARACTER_S, Listening, answer_to, voice
from loguru import logger
from vocode.streaming.agent.base_agent import GeneratedResponse, RespondAgent
from vocode.streaming.client_backend.conversation import ConversationRouter
from vocode.streaming.models.agent import EchoAgentConfig
from vocode.streaming.models.client_backend import InputAudioConfig, OutputAudioConfig
from vocode.streaming.models.message import BaseMessage
from vocode.streaming.models.synthesizer import SynthesizerConfig
from vocode.streaming.models.transcriber import TranscriberConfig, Transcription
from vocode.streaming.synthesizer.base_synthesizer import BaseSynthesizer, SynthesisResult, encode_as_wav
from vocode.streaming.transcriber.base_transcriber import BaseAsyncTranscriber


class Ears(BaseAsyncTranscriber[TranscriberConfig]):
    """Reads tones back."""

    def __init__(self, config: TranscriberConfig, *, partials: bool) -> None:
        super().__init__(config)
        self._listening, self._partials = Listening(config.sampling_rate), partials

    async def _run_loop(self) -> None:
        while True:
            for noticed in self._listening.push(await self.input_queue.get()):
                if noticed.kind == "stopped":
                    self._tell(noticed.text, final=True)
                elif self._partials:
                    self._tell("...", final=False)

    def _tell(self, text: str, *, final: bool) -> None:
        self.output_queue.put_nowait(Transcription(message=text, confidence=1.0, is_final=final))


class Answers(RespondAgent[EchoAgentConfig]):
    """Answers in sentences, which it begins with ``and``."""

    async def generate_response(
        self, human_input: str, conversation_id: str, is_interrupt: bool = False, bot_was_in_medias_res: bool = False
    ) -> AsyncGenerator[GeneratedResponse, None]:
        for sentence in answer_to(human_input).replace(" and ", "\nand ").split("\n"):
            yield GeneratedResponse(message=BaseMessage(text=sentence), is_interruptible=True)

    def update_last_bot_message_on_cut_off(self, message: str) -> None:
        pass


class Tones(BaseSynthesizer[SynthesizerConfig]):
    """Speaks in tones."""

    @classmethod
    def get_voice_identifier(cls, synthesizer_config: SynthesizerConfig) -> str:
        return "tones"

    async def create_speech_uncached(
        self, message: BaseMessage, chunk_size: int, is_first_text_chunk: bool = False, is_sole_text_chunk: bool = False
    ) -> SynthesisResult:
        config = self.get_synthesizer_config()
        pcm = voice(message.text, config.sampling_rate)

        async def chunks() -> AsyncGenerator[SynthesisResult.ChunkResult, None]:
            for at in range(0, len(pcm), chunk_size):
                chunk = encode_as_wav(pcm[at : at + chunk_size], config)
                yield SynthesisResult.ChunkResult(chunk, at + chunk_size >= len(pcm))

        return SynthesisResult(chunks(), lambda seconds: message.text[: int(seconds / CHARACTER_S)])


def router(*, partials: bool, greeting: str) -> ConversationRouter:
    """Return Vocode's, with our models."""
    greets = BaseMessage(text=greeting) if greeting else None

    def transcriber(config: InputAudioConfig) -> Ears:
        return Ears(TranscriberConfig.from_input_audio_config(config), partials=partials)

    def synthesizer(config: OutputAudioConfig) -> Tones:
        return Tones(SynthesizerConfig.from_output_audio_config(config))

    def agent() -> Answers:
        return Answers(EchoAgentConfig(initial_message=greets, interrupt_sensitivity="high"))

    return ConversationRouter(agent_thunk=agent, transcriber_thunk=transcriber, synthesizer_thunk=synthesizer)


async def main() -> None:
    """Serve on a free port of loopback, and print ``ready PORT``."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    app = FastAPI()
    greeting = next((word.removeprefix("greeting=") for word in sys.argv[1:] if word.startswith("greeting=")), "")
    app.include_router(router(partials="partials" in sys.argv, greeting=greeting).get_router())
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="websockets"))
    print("ready", listener.getsockname()[1], flush=True)
    await server.serve([listener])


if __name__ == "__main__":
    asyncio.run(main())
