"""What the command line reads and writes: WAV files, reports, the script, and where a backend is."""

from __future__ import annotations

import json
import os
import wave
from pathlib import Path

import pytest

from voicebackend.audio import to_samples
from voicebackend.cli.script import check_latency, check_trace, check_turn, read_script
from voicebackend.cli.target import find_target
from voicebackend.cli.words import word_error, words
from voicebackend.codecs.wav import read_wav, write_wav
from voicebackend.errors import ConnectionFailed, InvalidConfig, InvalidFormat


def make_wav(path: Path, *, channels: int = 1, width: int = 2, rate: int = 16000, frames: int = 160) -> Path:
    """Write a WAV file of silence."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(channels * width * frames))
    return path


def test_a_recording_is_read_with_its_rate(tmp_path: Path) -> None:
    """16-bit mono of 8 to 48 kHz is taken as it is."""
    assert read_wav(make_wav(tmp_path / "a.wav", rate=8000)) == (bytes(320), 8000)


@pytest.mark.parametrize(
    ("shape", "words_"),
    [
        ({"channels": 2}, "2 channels"),
        ({"width": 1}, "8-bit"),
        ({"rate": 4000}, "4000 Hz"),
        ({"rate": 96000}, "96000 Hz"),
        ({"frames": 0}, "empty"),
        ({"rate": 8000, "frames": 8000 * 601}, "longer than 10 minutes"),
    ],
)
def test_another_recording_is_refused_by_what_is_wrong(tmp_path: Path, shape: dict[str, int], words_: str) -> None:
    """The error names the file and what is needed."""
    with pytest.raises(InvalidFormat, match=words_) as caught:
        read_wav(make_wav(tmp_path / "a.wav", **shape))
    assert "a.wav" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"hello " * 100])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    """A text file, a torn file and an empty one."""
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(InvalidFormat, match="not a PCM WAV file"):
        read_wav(path)
    with pytest.raises(InvalidFormat, match="no such file"):
        read_wav(tmp_path / "b.wav")


def test_two_sides_are_written_beside_each_other(tmp_path: Path) -> None:
    """Left and right; the shorter one is filled up."""
    path = tmp_path / "made" / "both.wav"
    write_wav(path, b"\1\0\2\0", b"\3\0", sample_rate=16000)
    with wave.open(str(path), "rb") as file:
        assert file.getnchannels() == 2
        assert list(to_samples(file.readframes(2))) == [1, 3, 2, 0]


def test_words_are_compared_without_ways_of_writing() -> None:
    """Case, marks, hyphens and digits do not count."""
    assert words("Mr. O'Neill is ill-disposed at 10!") == ["mister", "o'neill", "is", "ill", "disposed", "at", "ten"]


@pytest.mark.parametrize(
    ("expected", "heard", "share"),
    [("a b c d", "a b c d", 0), ("a b c d", "a x c d", 0.25), ("a b", "a b c", 0.5), ("a b", "", 1), ("", "a", 1)],
)
def test_word_error_counts_wrong_missing_and_extra_words(expected: str, heard: str, share: float) -> None:
    """As a share of the words expected."""
    assert word_error(expected, heard) == share


def test_the_script_has_three_turns_one_of_them_human() -> None:
    """Its recordings are there, a few hundred kilobytes together."""
    lines = read_script()
    assert len(lines) >= 3
    assert all(line.file.is_file() and line.answer_has for line in lines)
    assert any(line.file.name.startswith("human") for line in lines)
    assert sum(line.file.stat().st_size for line in lines) < 500_000


def test_a_turn_is_judged_by_ear_and_by_words() -> None:
    """Each of the three checks fails on its own."""
    line = read_script()[0]
    answer = "Tuesday morning is free. What shall I note for the doctor?"

    def verdicts(*, understood: str = line.says, told: str = answer, audible: str = answer) -> list[bool]:
        return [check.ok for check in check_turn(1, line, understood=understood, answer=told, audible=audible)]

    assert verdicts() == [True, True, True]
    assert verdicts(understood="something else") == [False, True, True]
    assert verdicts(told="Friday.", audible="Friday") == [True, False, True]
    assert verdicts(audible="") == [True, True, False]


@pytest.mark.parametrize(("median_ms", "ok"), [(None, False), (599.0, True), (601.0, False)])
def test_the_answer_must_come_soon(median_ms: float | None, ok: bool) -> None:
    """An unmeasured latency is no pass."""
    assert check_latency(median_ms).ok is ok


def logged(service: str, trace: str, **fields: str) -> str:
    """Return a line of the stack's log."""
    return f"{service:<7} | {json.dumps({'service': service, 'trace_id': trace, **fields})}"


def test_one_trace_must_run_through_all() -> None:
    """From the request that made the session to both engines; another trace's line does not count."""
    steps = [
        logged("control", "a", message="request served", operation="sessions.create"),
        logged("celery", "a", message="task done", task="agents.turn"),
        logged("worker", "a", message="speech recognised"),
        logged("worker", "a", message="speech synthesised"),
    ]
    noise = [
        "redis   | Ready",
        "worker  | {torn",
        "celery  | 1",
        logged("control", "b", message="request served", operation="sessions.token"),
    ]
    assert check_trace([*noise, *steps]).ok
    for at, step in enumerate(steps):
        other = step.replace('"trace_id": "a"', '"trace_id": "b"')
        assert not check_trace([*steps[:at], *steps[at + 1 :], other]).ok
    verdict = check_trace([*noise, *steps[:3]])
    assert (verdict.ok, verdict.found) == (False, "missing: synthesis")
    assert not check_trace(noise).ok


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home in which a development stack is announced, and an environment that says nothing."""
    monkeypatch.delenv("VOICEBACKEND_CONTROL_URL", raising=False)
    monkeypatch.delenv("VOICEBACKEND_API_KEY", raising=False)
    told = {"url": "http://127.0.0.1:8080", "api_key": "k", "pid": os.getpid()}
    (tmp_path / "dev.json").write_text(json.dumps(told))
    return tmp_path


def test_a_local_stack_is_found_by_itself(home: Path) -> None:
    """Its key too, also when only its address is given; options go before it."""
    assert find_target(None, None, home).api_key == "k"
    assert find_target("http://127.0.0.1:8080/", None, home).api_key == "k"
    assert find_target("http://elsewhere", "other", home).url == "http://elsewhere"


def test_without_a_backend_the_error_says_how_to_get_one(home: Path) -> None:
    """A stack that is gone, a torn file and no file are the same; an address needs a key."""
    with pytest.raises(InvalidConfig, match="--api-key"):
        find_target("http://elsewhere", None, home)
    for content in ('{"url": "http://x", "api_key": "k", "pid": 99999999}', "{torn", "[]"):
        (home / "dev.json").write_text(content)
        with pytest.raises(ConnectionFailed, match="voicebackend up"):
            find_target(None, None, home)
