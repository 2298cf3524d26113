"""What providers and engines implement. Base classes with defaults, so that an implementation says only what it adds.

All PCM is signed 16-bit little-endian mono; caller audio comes at 16 kHz. An engine is opened once per process
(model loaded, connections pooled) and opens one small stream per session. Implementations raise
``voicebackend.errors`` only.
"""

from voicebackend.interfaces.engine import Engine, EngineConfig
from voicebackend.interfaces.noise import NoiseCanceller, NoiseStream
from voicebackend.interfaces.pipeline import Engines, Pipeline
from voicebackend.interfaces.provider import Capabilities, VoiceProvider
from voicebackend.interfaces.room import CallerRoom, Invitation, Place
from voicebackend.interfaces.s2s import S2sEvent, S2sStream, SpeechToSpeech
from voicebackend.interfaces.stt import Recognition, SpeechToText, SttStream
from voicebackend.interfaces.transport import TransportLink
from voicebackend.interfaces.tts import TextToSpeech, WordTime
from voicebackend.interfaces.turn import TurnDetector, TurnEvidence
from voicebackend.interfaces.vad import VadProfile, VadStream, VoiceActivityDetector

__all__ = [
    "CallerRoom",
    "Capabilities",
    "Engine",
    "EngineConfig",
    "Engines",
    "Invitation",
    "NoiseCanceller",
    "NoiseStream",
    "Pipeline",
    "Place",
    "Recognition",
    "S2sEvent",
    "S2sStream",
    "SpeechToSpeech",
    "SpeechToText",
    "SttStream",
    "TextToSpeech",
    "TransportLink",
    "TurnDetector",
    "TurnEvidence",
    "VadProfile",
    "VadStream",
    "VoiceActivityDetector",
    "VoiceProvider",
    "WordTime",
]
