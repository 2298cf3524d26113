"""The messages of vendors' servers in the corpus, as their own pages show them."""

from __future__ import annotations

import io
import json
import wave
from base64 import b64encode
from collections.abc import Iterator

from providers.pipecat import codec as pipecat

Seed = tuple[str, str, bytes]
"""Target, name, content."""
TONE = bytes(range(256)) * 3


def wav(pcm: bytes, rate: int, channels: int = 1) -> bytes:
    """Return PCM as a WAV file."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return made.getvalue()


def vendors() -> Iterator[Seed]:
    """What vendors' servers say."""
    yield "pipecat-frame", "audio", pipecat.encode(pipecat.Audio(TONE, 24_000))
    yield "pipecat-frame", "wav", pipecat.encode(pipecat.Audio(wav(TONE, 16_000), 16_000))
    yield "pipecat-frame", "rtvi", pipecat.encode(pipecat.Rtvi("bot-transcription", {"text": "Hello."}), id_="1")
    yield "pipecat-frame", "interruption", pipecat.encode(pipecat.Interruption())
    sound = b64encode(TONE[:32]).decode()
    times = {
        "characters": ["H", "i"],
        "character_start_times_seconds": [0, 0.1],
        "character_end_times_seconds": [0.1, 0.2],
    }
    said: dict[str, dict[str, object]] = {
        "elevenlabs-speech": {"audio_base64": sound, "alignment": times},
        "elevenlabs-message": {
            "type": "audio",
            "audio_event": {
                "audio_base_64": sound,
                "event_id": 3,
                "alignment": {"chars": ["H"], "char_start_times_ms": [0], "char_durations_ms": [40]},
            },
        },
        "vapi-message": {"type": "transcript", "role": "assistant", "transcriptType": "final", "transcript": "Hello."},
        "vocode-message": {"type": "websocket_audio", "data": b64encode(wav(TONE, 16_000)).decode()},
        "cartesia-speech": {
            "type": "timestamps",
            "context_id": "c1",
            "word_timestamps": {"words": ["Hi"], "start": [0.0], "end": [0.2]},
        },
    }
    for target, message_ in said.items():
        yield target, "usual", json.dumps(message_).encode()
    yield "cartesia-speech", "chunk", json.dumps({"type": "chunk", "context_id": "c1", "data": sound}).encode()
    yield (
        "cartesia-speech",
        "error",
        b'{"type":"error","context_id":"c1","status_code":402,"title":"t","error_code":"x"}',
    )
    yield from _openai()
    yield from _cartesia()


def _openai() -> Iterator[Seed]:
    """A caller who is answered and interrupts; one whose conversation fails; transcripts, streamed and whole."""
    part = {"response_id": "r1", "item_id": "i1"}
    caller = {"item_id": "i0", "content_index": 0}
    usage = {"input_tokens": 9, "output_tokens": 4, "input_token_details": {"audio_tokens": 8, "cached_tokens": 1}}
    detection = {"type": "server_vad", "silence_duration_ms": 500}
    begun = {"type": "response.created", "response": {"id": "r1", "status": "in_progress"}}
    heard = "conversation.item.input_audio_transcription"
    call: list[dict[str, object]] = [
        {"type": "session.updated", "session": {"audio": {"input": {"turn_detection": detection}}}},
        {"type": "input_audio_buffer.speech_started", "item_id": "i0", "audio_start_ms": 20},
        {"type": "input_audio_buffer.speech_stopped", "item_id": "i0", "audio_end_ms": 900},
        {"type": "input_audio_buffer.committed", "item_id": "i0"},
        begun,
        {"type": f"{heard}.delta", "delta": "Hello", **caller},
        {"type": f"{heard}.completed", "transcript": "Hello.", **caller},
        {"type": "response.output_audio_transcript.delta", "delta": "Hi.", **part},
        {"type": "response.output_audio.delta", "delta": b64encode(TONE[:96]).decode(), **part},
        {"type": "response.audio.delta", "delta": b64encode(TONE[:48]).decode(), **part},
        {"type": "response.done", "response": {"id": "r1", "status": "completed", "usage": usage}},
        {"type": "error", "error": {"code": "conversation_already_has_active_response", "event_id": "text_1"}},
    ]
    details = {"type": "failed", "error": {"type": "server_error", "code": "rate_limit_exceeded"}}
    failed = {"type": "response.done", "response": {"id": "r1", "status": "failed", "status_details": details}}
    refused = {"type": "error", "error": {"type": "invalid_request_error", "code": "bad", "param": "session.voice"}}
    for name, said in {"call": call, "failed": [begun, failed], "refused": [refused]}.items():
        yield "openai-realtime", name, b"\n".join(json.dumps(one).encode() for one in said)
    deltas = [{"type": "transcript.text.delta", "delta": "Hel"}, {"type": "transcript.text.done", "text": "Hello."}]
    streamed = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in deltas)
    yield "openai-transcript", "streamed", streamed.encode() + b"data: [DONE]\n\n"
    yield "openai-transcript", "whole", b'{\n "text": "Hello."\n}'


def _cartesia() -> Iterator[Seed]:
    """An agent that greets, hears and is interrupted; an ear that is asked twice, and one that fails."""
    sound: dict[str, object] = {"type": "audio_output", "audio": b64encode(TONE[:33]).decode()}
    call: list[dict[str, object]] = [
        {"type": "turn_started", "turn": 1, "role": "assistant", "start_time": 0.0},
        {"type": "turn_output_text_delta", "turn": 1, "role": "assistant", "text": "Hello."},
        sound,
        sound,
        {"type": "turn_started", "turn": 2, "role": "user", "start_time": 0.5},
        {"type": "turn_output_text_delta", "turn": 2, "role": "user", "text": "Hi"},
        {"type": "audio_output_clear"},
        {"type": "turn_ended", "turn": 1, "role": "assistant", "text": "Hello.", "interrupted": True},
        {"type": "turn_ended", "turn": 2, "role": "user", "text": "Hi there.", "interrupted": False},
        {"type": "client_tool_call", "tool_call_id": "t1", "expects_response": True},
    ]
    words = {"type": "transcript", "text": " good day", "is_final": True}
    utterance = [{**words, "is_final": False}, words, {"type": "flush_done"}, words, {"type": "flush_done"}]
    failed = {"type": "error", "status_code": 429, "error_code": "quota_exceeded"}
    for target, name, said in (
        ("cartesia-agent", "call", call),
        ("cartesia-ear", "utterances", utterance),
        ("cartesia-ear", "failed", [words, failed]),
    ):
        yield target, name, b"\n".join(json.dumps(one).encode() for one in said)
