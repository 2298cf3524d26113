"""Engine ``moonshine``: Moonshine tiny-en (MIT) on stock onnxruntime, from the files of package moonshine-voice.

The package itself is never imported: its own library mixes up callers when threads share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from providers import packages
from providers.engines.onnx import load_session
from providers.engines.pool import Pool, opened
from providers.engines.stt.utterance import UtteranceStream
from voicebackend.audio import PIPELINE_RATE, level_dbfs, to_floats
from voicebackend.interfaces import EngineConfig, Recognition, SpeechToText, SttStream

_BEGIN, _END = 1, 2
_TOKENS_PER_S = 6.5
"""Speech has no more; noise makes the model go round in circles."""
_PAD = np.zeros(round(0.3 * PIPELINE_RATE), np.float32)
"""Silence before and after: without it the model clips first and last sounds."""
_SILENT_DBFS = -65.0
"""Below this nothing was said; the model would hear ``You``."""

Arrays = dict[str, npt.NDArray[Any]]


class Moonshine(SpeechToText):
    """English; about 20 ms of one core for a second of speech."""

    name = "moonshine"

    def __init__(self, config: EngineConfig | None = None) -> None:
        super().__init__(config)
        self._pool = Pool("moonshine")
        self._opening = asyncio.Lock()
        self._model: MoonshineModel | None = None

    async def open(self) -> None:
        """Load and warm the model: 0.5 s, 150 MB.

        Raises:
            InvalidConfig: the model's files are not installed.

        """
        async with self._opening:
            if self._model is None:
                self._model = await self._pool.submit("open moonshine", _load)

    async def aclose(self) -> None:
        """Release the model."""
        self._model = None
        self._pool.close()

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear for one session."""
        model = opened(self._model, "moonshine")

        def recognise(pcm: bytes) -> asyncio.Future[str]:
            return self._pool.submit("moonshine", model.transcribe, pcm)

        return UtteranceStream(recognise, on_partial, busy=lambda: self._pool.busy)


def _load() -> MoonshineModel:
    tokens = packages.file("moonshine_voice", "assets", "tiny-en", "tokenizer.bin", extra="local", op="open moonshine")
    model = MoonshineModel(tokens.parent)
    model.decode(np.zeros(PIPELINE_RATE, np.float32))
    return model


class MoonshineModel:
    """Encoder, decoder and tokens; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._tokens = read_tokens((folder / "tokenizer.bin").read_bytes())
        self._encoder = load_session(folder / "encoder_model.ort")
        self._decoder = load_session(folder / "decoder_model_merged.ort")
        self._no_past: Arrays = {
            value.name: np.zeros((1, value.shape[1], 0, value.shape[3]), np.float32)
            for value in self._decoder.get_inputs()
            if value.name.startswith("past_key_values")
        }
        self._first_outputs = [value.name for value in self._decoder.get_outputs()]
        # the encoder's half of the cache never changes after the first step; asking for it would copy it each time
        self._next_outputs = [name for name in self._first_outputs if ".encoder." not in name]

    def transcribe(self, pcm: bytes) -> str:
        """Return what 16 kHz audio of up to 15 s says, empty if there are no words in it."""
        if level_dbfs(pcm) < _SILENT_DBFS:
            return ""
        return to_text(self._tokens, self.decode(np.concatenate((_PAD, to_floats(pcm), _PAD))))

    def decode(self, samples: npt.NDArray[np.float32]) -> list[int]:
        """Return the likeliest tokens, without begin and end."""
        mask = np.ones((1, len(samples)), np.int64)
        hidden = self._encoder.run(None, {"input_values": samples[None], "attention_mask": mask})[0]
        past, token, found = dict(self._no_past), _BEGIN, list[int]()
        for step in range(int(len(samples) / PIPELINE_RATE * _TOKENS_PER_S) + 2):
            inputs = {
                "encoder_hidden_states": hidden,
                "encoder_attention_mask": mask,  # of the samples, not of the encoder's frames
                "input_ids": np.array([[token]]),
                "use_cache_branch": np.array([step > 0]),
                **past,
            }
            names = self._next_outputs if step else self._first_outputs
            logits, *present = self._decoder.run(names, inputs)
            token = int(logits[0, -1].argmax())
            if token == _END:
                break
            found.append(token)
            past |= {
                name.replace("present", "past_key_values"): value
                for name, value in zip(names[1:], present, strict=True)
            }
        return found


def read_tokens(data: bytes) -> list[bytes]:
    """Return the vocabulary: each token is its length, in one byte or from 128 on two, and then its UTF-8."""
    tokens, at = [], 0
    while at < len(data):
        size, at = data[at], at + 1
        if size >= 128:  # noqa: PLR2004 - the eighth bit
            size, at = data[at] * 128 + size - 128, at + 1
        tokens.append(data[at : at + size])
        at += size
    return tokens


def to_text(tokens: list[bytes], ids: list[int]) -> str:
    """Return the words that tokens spell; special tokens and text without a letter or digit (``♪``) are nothing."""
    spelled = b"".join(tokens[i] for i in ids if i > _END and not tokens[i].startswith(b"<<"))
    text = " ".join(spelled.decode("utf-8", "replace").replace("▁", " ").split())
    return text if any(character.isalnum() for character in text) else ""
