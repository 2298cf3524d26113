"""Noise cancellers: what the suite does not cover."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from voices import recordings

from providers import packages
from providers.engines.noise import rnnoise
from providers.registry import NOISE
from voicebackend.audio import level_dbfs
from voicebackend.errors import InvalidConfig, PipelineError


class Library:
    """Stands in for librnnoise: halves the signal, and counts states."""

    def __init__(self) -> None:
        self.states = 0

    def rnnoise_create(self, model: None) -> int:
        """Return a state."""
        del model
        self.states += 1
        return self.states

    def rnnoise_destroy(self, state: int) -> None:
        """Take a state back."""
        del state
        self.states -= 1

    def rnnoise_process_frame(self, state: int, out: Any, samples: Any) -> float:
        """Halve 480 samples."""
        assert state
        frame = np.ctypeslib.as_array(samples, (480,))
        np.ctypeslib.as_array(out, (480,))[:] = frame / 2
        return 1.0


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """Put our library in the place of the real one."""
    fake = Library()
    monkeypatch.setattr(packages, "file", lambda *_, **__: "librnnoise.so")
    monkeypatch.setattr(rnnoise, "_load", lambda _: fake)
    return fake


async def test_rnnoise_gets_ten_milliseconds_at_48_khz(library: Library) -> None:
    """However audio is cut, it comes back at 16 kHz, as long as it was, and half as loud."""
    engine = rnnoise.RnnoiseCanceller()
    await engine.open()
    stream, pcm = engine.stream(), recordings()[0].pcm
    out = b"".join(stream.process(pcm[start : start + 702]) for start in range(0, len(pcm), 702))
    assert len(pcm) - 640 <= len(out) <= len(pcm)
    assert level_dbfs(out) == pytest.approx(level_dbfs(pcm) - 6, abs=0.5)
    assert library.states == 1
    del stream
    assert library.states == 0


async def test_rnnoise_not_installed_gives_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the registry and from the engine itself."""
    found: Callable[[str], None] = lambda _: None  # noqa: E731
    monkeypatch.setattr(packages, "folder", found)
    with pytest.raises(InvalidConfig, match=r'pip install "voicebackend\[rnnoise\]"'):
        NOISE.create("rnnoise")
    with pytest.raises(InvalidConfig, match=r'pip install "voicebackend\[rnnoise\]"'):
        await rnnoise.RnnoiseCanceller().open()


def test_rnnoise_for_another_machine_is_an_invalid_config(tmp_path: Any) -> None:
    """A library that does not load is told by name."""
    (tmp_path / "librnnoise.so").write_bytes(b"not a library")
    with pytest.raises(InvalidConfig, match=r"librnnoise\.so does not load"):
        rnnoise._load(tmp_path / "librnnoise.so")


def test_rnnoise_must_be_open() -> None:
    """Instead of failing in C."""
    with pytest.raises(PipelineError, match="not open"):
        rnnoise.RnnoiseCanceller().stream()
    assert ctypes.sizeof(ctypes.c_float) == 4
