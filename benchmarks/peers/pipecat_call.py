"""A call through Pipecat: its transports, Silero, turn strategies, aggregators and output; the rest by script."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import fields

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames import frames
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from benchmarks.peers import stage

logger.remove()
logger.add(sys.stderr, level="ERROR")


class Ear(BaseInputTransport):
    async def start(self, frame):
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def push(self, pcm):
        await self.push_audio_frame(frames.InputAudioRawFrame(pcm, sample_rate=stage.IN_HZ, num_channels=1))


class Mouth(BaseOutputTransport):
    """Paces what it writes at real time, as a websocket transport does."""

    def __init__(self, line, params):
        super().__init__(params)
        self.line, self.ready, self.due = line, asyncio.Event(), 0.0

    async def start(self, frame):
        await super().start(frame)
        await self.set_transport_ready(frame)
        self.ready.set()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, frames.InterruptionFrame):
            self.line.cut()
            self.due = 0.0

    async def write_audio_frame(self, frame):
        seconds = len(frame.audio) / 2 / stage.OUT_HZ
        self.line.hear(seconds)
        self.due = max(self.due, time.monotonic()) + seconds
        await asyncio.sleep(max(0.0, self.due - seconds - time.monotonic()))
        return True


class Stt(STTService):
    def __init__(self):
        super().__init__(ttfs_p99_latency=1.0, settings=STTSettings(model="scripted", language=None))

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, frames.VADUserStoppedSpeakingFrame):
            self.create_task(self._finish())

    async def _finish(self):
        text = await stage.transcript()
        await self.push_frame(frames.TranscriptionFrame(text, "caller", time_now_iso8601(), finalized=True))

    async def run_stt(self, audio):
        yield None


class Llm(LLMService):
    def __init__(self):
        unset = {
            field.name: None for field in fields(LLMSettings) if field.init and field.name not in {"model", "extra"}
        }
        super().__init__(settings=LLMSettings(model="scripted", **unset))

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if not isinstance(frame, frames.LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(frames.LLMFullResponseStartFrame())
        await self.push_frame(frames.LLMTextFrame(await stage.answer()))
        await self.push_frame(frames.LLMFullResponseEndFrame())


class Tts(TTSService):
    def __init__(self):
        settings = TTSSettings(model="scripted", voice="scripted", language=None)
        super().__init__(push_start_frame=True, push_stop_frames=True, sample_rate=stage.VOICE_HZ, settings=settings)

    async def run_tts(self, text, context_id):
        async for piece in stage.speech():
            yield frames.TTSAudioRawFrame(piece, stage.VOICE_HZ, 1, context_id=context_id)


async def open_call(line):
    params = TransportParams(
        audio_in_enabled=True,
        audio_in_sample_rate=stage.IN_HZ,
        audio_out_enabled=True,
        audio_out_sample_rate=stage.OUT_HZ,
        audio_out_end_silence_secs=0,
    )
    ear, mouth = Ear(params), Mouth(line, params)
    strategies = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0)])
    vad = SileroVADAnalyzer(params=VADParams(stop_secs=stage.END_OF_TURN_S))
    user_params = LLMUserAggregatorParams(user_turn_strategies=strategies, vad_analyzer=vad)
    pair = LLMContextAggregatorPair(LLMContext(), user_params=user_params)
    stages = [ear, Stt(), pair.user(), Llm(), Tts(), mouth, pair.assistant()]
    worker, runner = PipelineWorker(Pipeline(stages)), WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(mouth.ready.wait(), 30)
    line.push = ear.push

    async def close():
        await worker.cancel()
        await running

    return close


if __name__ == "__main__":
    stage.main(open_call)
