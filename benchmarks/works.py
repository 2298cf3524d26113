"""The works that callers and processes are given: what is said, who answers, and how long the script itself takes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks import agents
from benchmarks.speech import RATE, Saying, recordings, voiced_sound

TTS_RATE = 24_000
TTS_FIRST_S = 0.08
STT_FINAL_S = 0.1
ONSET_S = 0.06
END_OF_TURN_S = 0.2
S2S_FIRST_S = 0.2
_S2S_SILENCE_S = 0.1
"""After which the scripted model notices the end of speech; it counts within ``S2S_FIRST_S``."""
_LOUD = 1000
_EAR = {"stt": "stt", "vad": "vad", "turn": "turn_detection", "noise": "noise_cancellation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of conversation."""

    name: str
    pipeline: str
    config: Mapping[str, Any]
    """The deployment's configuration, as in a YAML file."""
    agent: str | None
    recorded: bool
    """Whether callers speak recordings; otherwise a hum."""
    scripted_s: float
    """Seconds from the end of speech to the first audio that are the script's own."""

    @property
    def sayings(self) -> Sequence[Saying]:
        """Return what callers say, in turn; a model that knows speech by its loudness alone gets nothing but speech."""
        if not self.recorded:
            return (voiced_sound(),)
        return recordings() if self.pipeline == "stt_tts" else [saying.trimmed() for saying in recordings()]


@cache
def works() -> tuple[Work, ...]:
    """Return every work, ``peers`` first."""
    return (_peers(), _readme(), _readme_s2s())


def _peers() -> Work:
    """Everything scripted: an end of turn after 200 ms of quiet, 20 tokens, two sentences of a second each."""
    settings = {
        "vad": {"threshold": _LOUD, "start": ONSET_S, "pause": END_OF_TURN_S, "stop": END_OF_TURN_S},
        "stt": {"delay": STT_FINAL_S, "partials": False, "transcripts": ["Can you tell me where my parcel is?"]},
        "tts": {"delay": TTS_FIRST_S, "audio": [_hum(1.0, RATE)], "piece": 0.1, "speed": 5, "sample_rate": RATE},
    }
    engines = {"vad_provider": "mock", "turn_detection_provider": "mock", "noise_cancellation_provider": "none"}
    waits = {
        "conversation": {"endpointing": {"eager": False}}
    }  # the script's recogniser, too, waits for 200 ms of quiet
    return Work(
        name="peers",
        pipeline="stt_tts",
        config=_local(settings, stt_provider="mock", tts_provider="mock", **engines, **waits),
        agent="benchmark-tokens",
        recorded=False,
        scripted_s=END_OF_TURN_S + STT_FINAL_S + agents.FIRST_S + agents.FIRST_SENTENCE_S + TTS_FIRST_S,
    )


def instant() -> Work:
    """Return *peers* with an agent that answers at once: its whole answer is its first delta."""
    peers = _peers()
    script = END_OF_TURN_S + STT_FINAL_S + TTS_FIRST_S
    return replace(peers, name="instant agent", agent="benchmark-instant", scripted_s=script)


def full(detector: str, settings: Mapping[str, Any]) -> Work:
    """Return *readme* with this turn detector; it does not learn from a caller, so that each turn can be foretold."""
    readme = _readme()
    endpointing = {"conversation": {"endpointing": {"adapt": False}}}
    engines = {"provider_config": {**readme.config["provider_config"], "turn": settings}}
    config = {**readme.config, "turn_detection_provider": detector, **engines, **endpointing}
    return replace(readme, name=f"full, {detector}", config=config)


def engines_of(work: Work) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return the engine and its settings for each role that an ear has."""
    names = {role: work.config[f"{name}_provider"] for role, name in _EAR.items()}
    return {role: (name, work.config["provider_config"].get(role, {})) for role, name in names.items()}


def _readme() -> Work:
    """Real voice detection and the endpointing as shipped; recogniser, turn model, agent and voice by script."""
    settings = {
        "stt": {"delay": STT_FINAL_S, "transcripts": ["Can you tell me the balance of my account?"]},
        "tts": {
            "delay": TTS_FIRST_S,
            "audio": [_hum(2.0, TTS_RATE)],
            "piece": 0.1,
            "speed": 5,
            "sample_rate": TTS_RATE,
        },
    }
    engines = {"vad_provider": "silero", "turn_detection_provider": "mock", "noise_cancellation_provider": "none"}
    return Work(
        name="readme",
        pipeline="stt_tts",
        config=_local(settings, stt_provider="mock", tts_provider="mock", **engines),
        agent="benchmark-sentence",
        recorded=True,
        scripted_s=STT_FINAL_S + agents.FIRST_S + TTS_FIRST_S,
    )


def _readme_s2s() -> Work:
    """A scripted speech-to-speech model, whose first byte comes 200 ms after the caller's last loud frame."""
    settings = {
        "s2s": {
            "delay": S2S_FIRST_S - _S2S_SILENCE_S,
            "threshold": 300,
            "audio": [_hum(2.0, TTS_RATE)],
            "piece": 0.1,
            "sample_rate": TTS_RATE,
        },
    }
    return Work(
        name="readme",
        pipeline="s2s",
        config=_local(settings, pipeline_type="s2s", s2s_provider="mock"),
        agent=None,
        recorded=True,
        scripted_s=S2S_FIRST_S,
    )


def _local(settings: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {"provider": "local", "provider_config": settings, "max_concurrent_sessions": 200, **fields}


def _hum(seconds: float, rate: int) -> str:
    """Return agent speech as the mock engines take it."""
    time = np.arange(round(seconds * rate)) / rate
    return base64.b64encode((4000 * np.sin(2 * np.pi * 200 * time)).astype("<i2").tobytes()).decode()
