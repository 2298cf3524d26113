"""A call through LiveKit Agents: an AgentSession with its own voice detector and output; the rest by script.

No LiveKit server, no WebRTC and no Opus: what they cost comes on top. The turn is over when the voice detector says
so: no turn model is asked, which costs it least.
"""

from __future__ import annotations

import logging

from livekit import rtc
from livekit.agents import Agent, AgentSession, llm, stt, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import io
from livekit.agents.voice.room_io._output import _ParticipantAudioOutput

from benchmarks.peers import stage

logging.getLogger("livekit").setLevel(logging.ERROR)


class Ear(io.AudioInput):
    def __init__(self):
        super().__init__(label="caller")
        self.frames = utils.aio.Chan[rtc.AudioFrame]()

    async def __anext__(self):
        return await self.frames.__anext__()

    async def push(self, pcm):
        self.frames.send_nowait(rtc.AudioFrame(pcm, stage.IN_HZ, 1, len(pcm) // 2))


class Source(rtc.AudioSource):
    """LiveKit's own source of a track, which tells the caller's phone what goes out."""

    def __init__(self, line):
        super().__init__(stage.VOICE_HZ, 1, queue_size_ms=200)
        self.line = line

    async def capture_frame(self, frame):
        self.line.hear(frame.duration)
        await super().capture_frame(frame)

    def clear_queue(self):
        self.line.cut()
        super().clear_queue()


class Mouth(_ParticipantAudioOutput):
    def __init__(self, line):
        options = rtc.TrackPublishOptions()
        super().__init__(None, sample_rate=stage.VOICE_HZ, num_channels=1, track_publish_options=options)
        self._audio_source = Source(line)

    async def _publish_track(self):
        self._subscribed_fut.set_result(None)


class Stt(stt.STT):
    """Takes whole utterances: the session gives it one after each end of speech."""

    def __init__(self):
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(self, buffer, *, language, conn_options):
        data = stt.SpeechData(text=await stage.transcript(), language="en")
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])


class Llm(llm.LLM):
    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        return LlmStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class LlmStream(llm.LLMStream):
    async def _run(self):
        delta = llm.ChoiceDelta(role="assistant", content=await stage.answer())
        self._event_ch.send_nowait(llm.ChatChunk(id="scripted", delta=delta))


class Tts(tts.TTS):
    def __init__(self):
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=stage.VOICE_HZ, num_channels=1)

    def synthesize(self, text, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return TtsStream(tts=self, input_text=text, conn_options=conn_options)


class TtsStream(tts.ChunkedStream):
    async def _run(self, output_emitter):
        request = utils.shortuuid()
        output_emitter.initialize(request_id=request, sample_rate=stage.VOICE_HZ, num_channels=1, mime_type="audio/pcm")
        async for piece in stage.speech():
            output_emitter.push(piece)


async def open_call(line):
    ear, mouth = Ear(), Mouth(line)
    turns = {
        "turn_detection": "vad",
        "endpointing": {"min_delay": stage.END_OF_TURN_S, "max_delay": stage.END_OF_TURN_S},
        "interruption": {"mode": "vad"},
    }
    session = AgentSession(stt=Stt(), llm=Llm(), tts=Tts(), turn_handling=turns, aec_warmup_duration=None)
    session.input.audio, session.output.audio = ear, mouth
    await mouth.start()
    await session.start(Agent(instructions="Help the caller."))
    line.push = ear.push

    async def close():
        await session.aclose()
        await mouth.aclose()

    return close


if __name__ == "__main__":
    stage.main(open_call)
