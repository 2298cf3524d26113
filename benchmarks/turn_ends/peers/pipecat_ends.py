"""Pipecat's default endpointing: Silero with its VADParams, Smart Turn v3, its start and stop strategies."""

from __future__ import annotations

import stage

LOOP = stage.virtual_time()

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import Frame, InputAudioRawFrame, StartFrame, TranscriptionFrame, VADUserStoppedSpeakingFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

logger.remove()
logger.add(sys.stderr, level="ERROR")


class Ear(BaseInputTransport):
    def __init__(self) -> None:
        super().__init__(TransportParams(audio_in_enabled=True, audio_in_sample_rate=stage.RATE))
        self.ready = asyncio.Event()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self.ready.set()

    async def push(self, pcm: bytes) -> None:
        await self.push_audio_frame(InputAudioRawFrame(pcm, sample_rate=stage.RATE, num_channels=1))


class Stt(STTService):
    """Gives the transcript a fixed time after Pipecat's own voice detector heard the end of speech."""

    def __init__(self, text: str) -> None:
        super().__init__(ttfs_p99_latency=1.0, settings=STTSettings(model="scripted", language=None))
        self.text = text

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            self.create_task(self._finish())

    async def _finish(self) -> None:
        await asyncio.sleep(stage.STT_S)
        await self.push_frame(TranscriptionFrame(self.text, "caller", time_now_iso8601(), finalized=True))

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        yield None


async def listen(text: str, decided: Callable[[], None]) -> tuple[stage.Push, Callable[[], Awaitable[None]]]:
    ear = Ear()
    params = LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    aggregators = LLMContextAggregatorPair(LLMContext(), user_params=params)
    user = aggregators.user()

    @user.event_handler("on_user_turn_stopped")
    async def stopped(*_: object) -> None:
        decided()

    worker, runner = PipelineWorker(Pipeline([ear, Stt(text), user])), WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await ear.ready.wait()

    async def close() -> None:
        await worker.cancel()
        await running

    return ear.push, close


if __name__ == "__main__":
    stage.main(LOOP, listen)
