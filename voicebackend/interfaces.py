"""What providers and engines implement. Base classes with defaults, so that an implementation says only what it adds.

All PCM is signed 16-bit little-endian mono; caller audio comes at 16 kHz. An engine is opened once per process
(model loaded, connections pooled) and opens one small stream per session. Implementations raise
``voicebackend.errors`` only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from voicebackend.audio import PIPELINE_RATE
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.session import Transport
from voicebackend.streams import Frame


class EngineConfig(BaseModel):
    """Settings of a provider or engine; unknown keys are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Engine:
    """Something loaded once per process."""

    name: ClassVar[str]
    """The registered name."""
    Config: ClassVar[type[EngineConfig]] = EngineConfig

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config or self.Config()

    async def open(self) -> None:
        """Load models or connections, off the event loop; safe to call again."""

    async def aclose(self) -> None:
        """Release everything."""


# ---------------------------------------------------------------- speech to text


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What an utterance says, as far as is known."""

    text: str
    """Empty when nothing was said."""
    final: bool
    confidence: float | None = None
    """0 to 1, where the engine tells."""


class SttStream:
    """One session's ear. Utterance after utterance: push its audio, then finish it."""

    async def push(self, pcm: bytes) -> None:
        """Take more audio of the utterance under way."""
        raise NotImplementedError

    async def pause(self) -> None:
        """Hear that the caller may have finished: an engine can start on the result, and reports it as a partial.

        More audio may still come. If it is speech, the caller pauses again after it.
        """

    async def finish(self) -> Recognition:
        """Return the utterance's final text and make ready for the next one.

        It may be the result as of the last ``pause``, so speech after that needs another ``pause`` first. Without any
        pause, everything is recognised now.
        """
        raise NotImplementedError

    async def discard(self) -> None:
        """Forget the utterance under way."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """End the stream; pending work is cancelled."""


class SpeechToText(Engine):
    """Recognises speech."""

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear for one session, 16 kHz; partial texts go to ``on_partial``, which returns at once."""
        raise NotImplementedError


# ---------------------------------------------------------------- text to speech


class TextToSpeech(Engine):
    """Speaks."""

    sample_rate: int = 24_000
    """Hz of what ``synthesize`` yields."""

    def synthesize(self, text: str) -> AsyncIterator[bytes]:
        """Yield the PCM of a sentence or clause as it is made; closing the iterator stops the work."""
        raise NotImplementedError


# ---------------------------------------------------------------- speech to speech


@dataclass(frozen=True, slots=True, kw_only=True)
class S2sEvent:
    """Something a speech-to-speech model said or noticed."""

    kind: str
    """``audio``, ``user_text``, ``agent_text``, ``speech_started``, ``turn_done`` or ``error``."""
    pcm: bytes = b""
    text: str = ""
    final: bool = False


class S2sStream:
    """One session's conversation with a speech-to-speech model."""

    async def push(self, pcm: bytes) -> None:
        """Send caller audio, 16 kHz."""
        raise NotImplementedError

    def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes."""
        raise NotImplementedError

    async def interrupt(self, played_ms: float) -> None:
        """Stop the answer under way; the model is to remember only what was played."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Hang up."""


class SpeechToSpeech(Engine):
    """A model that listens and speaks."""

    sample_rate: int = 24_000
    """Hz of its audio events."""

    async def stream(self, *, metadata: Mapping[str, Any]) -> S2sStream:
        """Open a conversation."""
        raise NotImplementedError


# ---------------------------------------------------------------- listening


@dataclass(frozen=True, slots=True, kw_only=True)
class VadProfile:
    """How this detector's probabilities become speech and silence."""

    start_threshold: float = 0.5
    stop_threshold: float = 0.35
    start_s: float = 0.096
    """Seconds above the start threshold until speech has started."""
    pause_s: float = 0.096
    """Seconds below the stop threshold until speech recognition may start on the result."""
    stop_s: float = 0.3
    """Seconds below the stop threshold until the turn is over."""


class VadStream:
    """One session's detector; cheap enough for the event loop."""

    def process(self, pcm: bytes) -> list[float]:
        """Take 16 kHz audio of any length; return a speech probability for each analysis frame completed."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget the past."""


class VoiceActivityDetector(Engine):
    """Tells speech from everything else."""

    frame_s: float = 0.032
    """Seconds of audio behind each probability."""
    profile: VadProfile = VadProfile()

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEvidence:
    """What is known when the caller falls silent."""

    text: str
    """Transcript of the utterance so far; may still change."""
    silence_s: float
    """Seconds of silence up to now."""
    audio: bytes = b""
    """The utterance's last seconds, 16 kHz."""


class TurnDetector(Engine):
    """Says how likely it is that the caller has finished."""

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return the probability, 0 to 1."""
        raise NotImplementedError


class NoiseStream:
    """One session's noise canceller; cheap enough for the event loop."""

    def process(self, pcm: bytes) -> bytes:
        """Clean 16 kHz audio; what comes out may lag and is as long as what went in, over time."""
        raise NotImplementedError


class NoiseCanceller(Engine):
    """Removes noise before speech is detected and recognised."""

    def stream(self) -> NoiseStream:
        """Open a canceller for one session."""
        raise NotImplementedError


# ---------------------------------------------------------------- providers


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do; what it tells is tested."""

    transports: frozenset[Transport]
    pipelines: frozenset[PipelineType]
    own_pipeline: bool = False
    """It runs the conversation itself: no engines need be named."""
    uses_agent: bool = True
    """Our agent answers; False where the remote side runs its own."""
    dtmf: bool = False
    text_injection: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the API."""
        return {
            "transports": sorted(self.transports),
            "pipelines": sorted(self.pipelines),
            "own_pipeline": self.own_pipeline,
            "uses_agent": self.uses_agent,
            "dtmf": self.dtmf,
            "text_injection": self.text_injection,
        }


class TransportLink:
    """The caller's side of one session: where agent audio and events go. Never waits for the caller."""

    sample_rate: int = PIPELINE_RATE
    """Hz of the audio that ``play`` takes."""

    def play(self, turn: int, pcm: bytes) -> None:
        """Send agent audio of a turn, at most 20 ms at a time, paced by the pipeline."""
        raise NotImplementedError

    def event(self, message: Any) -> None:
        """Send a ``voicebackend.events`` message."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The engines a local pipeline is made of."""

    stt: SpeechToText | None = None
    tts: TextToSpeech | None = None
    s2s: SpeechToSpeech | None = None
    vad: VoiceActivityDetector | None = None
    turn: TurnDetector | None = None
    noise: NoiseCanceller | None = None

    def all(self) -> Sequence[Engine]:
        """Return those that are there."""
        found = (self.stt, self.tts, self.s2s, self.vad, self.turn, self.noise)
        return [engine for engine in found if engine is not None]


class Pipeline:
    """The conversation of one session: caller audio in, agent audio and events out through its transport link."""

    async def open(self) -> None:
        """Make ready to listen; raises if an engine or a remote side cannot be had."""
        raise NotImplementedError

    async def wait(self) -> None:
        """Return when the conversation ends by itself; raise if it fails."""
        raise NotImplementedError

    def greet(self) -> None:
        """Tell a caller who has just connected what the conversation is doing."""
        raise NotImplementedError

    def push(self, pcm: bytes) -> None:
        """Take caller audio, 16 kHz, in order; never waits, bounded inside."""
        raise NotImplementedError

    def agent_frame(self, frame: Frame) -> None:
        """Take what an agent's task wrote into the lane; nothing where no agent of ours answers."""

    def played(self, turn: int, ms: float) -> None:
        """Hear how much of a turn the caller has heard."""

    def dtmf(self, digit: str) -> None:
        """Hear a key."""

    def say(self, pcm: bytes) -> None:
        """Play the application's own audio to the caller, 16 kHz; nothing where the provider speaks alone."""

    async def aclose(self) -> None:
        """End the conversation and everything it started."""
        raise NotImplementedError


class VoiceProvider(Engine):
    """Brings a session's transport, its pipeline, or both."""

    capabilities: ClassVar[Capabilities]

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the engine for each role (``stt``, ``tts``, ``s2s``, ``vad``, ``turn``, ``noise``) and its settings.

        The default takes what the config names; a provider that brings its own overrides this.
        """
        named = {
            "stt": config.stt_provider,
            "tts": config.tts_provider,
            "s2s": config.s2s_provider,
            "vad": config.vad_provider,
            "turn": config.turn_detection_provider,
            "noise": config.noise_cancellation_provider,
        }
        return {role: (name, {}) for role, name in named.items() if name}
