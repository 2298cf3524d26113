"""Ten minutes of a call in virtual time: what is recorded, beside what the caller said and heard, to the millisecond.

The gateway's caller, its playout clock and its recordings are real; so is the disk. The telephone is scripted: its
clock is wrong, its packets come late and in bursts, and it loses its connection once.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import numpy as np
import pytest
import soundfile
from task_harness import a_record

from control.gateway import recorder as recorder_module
from control.gateway import recording as recording_module
from control.gateway.caller import Caller
from control.gateway.recording import Recordings
from control.records.data_class import DataClass
from control.records.entry import Entry
from control.records.policy import Rule, snapshot
from voicebackend.codecs import Encoding, open_codec
from voicebackend.keys import Keys
from voicebackend.streams import Frame, Kind
from voicebackend.virtual_time import run

RATE, FRAME_S, FRAME = 24_000, 0.02, 480
"""Of the caller's socket, both ways; tapes run at 16 kHz."""
WALL = 1_790_000_000.0
ENDS_S = (300.0, 610.0)
"""When the connection is lost, and when the call is over."""
PPM = 100e-6
"""By how much the telephone's clock is wrong."""
MOST_MS = 20
PART_S = 120.0
"""Of a recording: each connection has three."""


class Timeline:
    """Samples by when they were said or heard, from the call's beginning on."""

    def __init__(self) -> None:
        self.samples = np.zeros(round((ENDS_S[1] + 5) * RATE), "<i2")

    def put(self, pcm: np.ndarray, at_s: float) -> None:
        """Put samples where they belong."""
        at = round(at_s * RATE)
        self.samples[at : at + len(pcm)] = pcm[: len(self.samples) - at]


class Phone:
    """A caller's socket: says frames by its own clock, plays what it is sent, and obeys at once."""

    closed = False

    def __init__(self, rng: random.Random, said: Timeline, heard: Timeline, until: float) -> None:
        self._rng, self._said, self._heard, self._until = rng, said, heard, until
        self._loop = asyncio.get_running_loop()
        self._began = self._played_to = self._loop.time()
        self._buffer, self._paused, self._number = np.zeros(0, "<i2"), False, 0
        self._came = 0.0

    async def receive(self) -> aiohttp.WSMessage:
        """Say 20 ms; they come a little late, and for a while not at all."""
        self._number += 1
        over = self._began + self._number * FRAME_S * (1 + PPM)
        frame = voice(self._rng, FRAME)
        self._said.put(frame, over - FRAME_S)
        stall = 0.4 - self._number % 20 * FRAME_S if self._number % 1_000 < 20 else 0.0  # then all at once
        self._came = max(self._came, over + self._rng.uniform(0, 0.01) + stall)
        if self._came >= self._until:
            await asyncio.sleep(self._until - self._loop.time())
            return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSE, 1006, "")
        await asyncio.sleep(self._came - self._loop.time())
        return aiohttp.WSMessage(aiohttp.WSMsgType.BINARY, frame.tobytes(), "")

    async def send_bytes(self, data: bytes) -> None:
        """Take agent audio."""
        self.advance()
        self._buffer = np.concatenate((self._buffer, np.frombuffer(data, "<i2")))

    async def send_str(self, data: str) -> None:
        """Take a message."""
        self.advance()
        match json.loads(data)["type"]:
            case "clear":
                self._buffer, self._paused = self._buffer[:0], False
            case "pause":
                self._paused = True
            case "resume":
                self._paused = False

    async def close(self, *, code: int = 1000) -> None:
        """Close."""

    def advance(self) -> None:
        """Play what there was time for."""
        now = self._loop.time()
        count = 0 if self._paused else min(len(self._buffer), round((now - self._played_to) * RATE))
        self._heard.put(self._buffer[:count], self._played_to)
        self._buffer, self._played_to = self._buffer[count:], now


def voice(rng: random.Random, samples: int) -> np.ndarray:
    """Return a tone that is louder or softer each time: no piece is like another."""
    wave = np.sin(2 * np.pi * 1_000 * np.arange(samples) / RATE)
    return np.asarray(wave * rng.choice((500, 3_000, 9_000)), "<i2")


async def speak(caller: Caller, rng: random.Random, first: int, until: float) -> None:
    """Be the worker: turns that end, are cut off, stand still for a while, or come late in their midst."""
    loop, seq = asyncio.get_running_loop(), iter(range(1, 10**6))

    def give(kind: Kind, payload: bytes, turn: int) -> None:
        caller.take(Frame(session=caller.session, kind=kind, payload=payload, turn=turn, seq=next(seq), epoch=1))

    def order(type_: str, turn: int) -> None:
        give(Kind.EVENT, json.dumps({"type": type_, "turn": turn}).encode(), turn)

    turn = first
    while loop.time() < until - 8:
        turn += 1
        course = turn % 4
        for number in range(rng.randrange(60, 200)):
            give(Kind.AUDIO_OUT, voice(rng, FRAME).tobytes(), turn)
            await asyncio.sleep(FRAME_S / 2 if course != 3 or number != 40 else 1.5)  # by then the phone is dry
        if course == 1:
            order("clear", turn)
        elif course == 2:
            order("pause", turn)
            await asyncio.sleep(rng.uniform(0.2, 1.0))
            order("resume", turn)
        await asyncio.sleep(rng.uniform(2.5, 4.0))


class Shelf:
    """Where recordings go: their names, and what is in them."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def entry(self, record: Any, kind: DataClass, name: str, rule: Rule) -> Entry:
        """Return an entry."""
        about = {"tenant": record.tenant, "data_class": kind.value, "session": record.id, "due": 0.0}
        return Entry(id=name, path=f"{record.tenant}/{name}", **about)  # type: ignore[arg-type]

    async def write(self, entry: Entry, data: bytes) -> bool:
        """Keep it."""
        self.kept[entry.id] = data
        return True


class NoRedis:
    """Says that nothing is masked, and that no session has a record."""

    def __init__(self) -> None:
        self._asked = 0

    def pipeline(self, **_: Any) -> Any:
        """Return what takes questions."""
        return NoRedis()

    def hget(self, *_: Any) -> None:
        """Ask for something."""
        self._asked += 1

    async def execute(self) -> list[Any]:
        """Answer."""
        return [None] * self._asked

    async def hvals(self, _: str) -> list[Any]:
        """Answer: there are no webhooks."""
        return []

    async def pttl(self, _: str) -> int:
        """Answer."""
        return -2


async def call(folder: Path, said: Timeline, heard: Timeline) -> dict[str, bytes]:
    """Hold the call; return the parts of its recording by name."""
    rng, shelf, loop = random.Random(5), Shelf(), asyncio.get_running_loop()  # noqa: S311 - a test's
    recordings = Recordings(cast(Any, shelf), folder, lambda: None, cast(Any, NoRedis()), Keys())
    recordings.start()
    rules = snapshot({DataClass.AUDIO: Rule("all", 3_600.0)})
    record = a_record(created_at=WALL, retention=rules)
    for leg, until in enumerate(ENDS_S):
        recorder = await recordings.open(record, RATE)
        assert recorder is not None
        phone = Phone(rng, said, heard, until)
        caller = Caller(
            phone,
            session=record.id,
            lane="lane",
            inbox="inbox",
            codec=open_codec(Encoding.PCM16, RATE),
            sender=cast(Any, SimpleNamespace(send=lambda *_: None)),
            seal=cast(Any, None),
            tape=recorder.tape,
        )
        speaking = asyncio.create_task(speak(caller, rng, leg * 1_000, until), name="worker")
        await caller.converse("token")
        phone.advance()
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        recordings.end(recorder)
        await asyncio.sleep(3.0)
    await recordings.aclose()
    assert loop.time() < ENDS_S[1] + 10
    return shelf.kept


def whole(parts: dict[str, bytes]) -> np.ndarray:
    """Return all parts as one recording, each where its name says."""
    both = np.zeros((round((ENDS_S[1] + 5) * 16_000), 2), "<i2")
    for name, data in parts.items():
        samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
        assert rate == 16_000
        at = int(name.removeprefix("recording-").removesuffix(".flac")) * 16
        both[at : at + len(samples)] = samples[: len(both) - at]
    return both


def assert_no_gaps(parts: dict[str, bytes]) -> None:
    """See that each part begins where the one before ended, but where the connection was lost."""
    begins = [int(name.removeprefix("recording-").removesuffix(".flac")) for name in sorted(parts)]
    lengths = [soundfile.info(io.BytesIO(parts[name])).frames / 16 for name in sorted(parts)]
    apart = [later - begin - length for begin, length, later in zip(begins, lengths, begins[1:], strict=False)]
    assert max(abs(gap) for at, gap in enumerate(apart) if at != 2) <= 1, apart
    assert min(lengths[0], lengths[1], lengths[3], lengths[4]) >= PART_S * 1000


def loudness(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return how loud each millisecond is."""
    each = rate // 1_000
    return np.abs(samples[: len(samples) // each * each].astype(float)).reshape(-1, each).mean(axis=1)


def lags_ms(true: np.ndarray, taped: np.ndarray, window_ms: int = 5_000) -> Iterator[tuple[float, int]]:
    """Yield how late what is on tape is, for each piece of time in which something is to be heard; and where."""
    reach = 150
    for at in range(reach, len(true) - window_ms - reach, window_ms):
        piece = true[at : at + window_ms]
        if (piece > 100).mean() < 0.2:
            continue
        piece = piece - piece.mean()
        fits = [float(piece @ taped[at + lag : at + lag + window_ms]) for lag in range(-reach, reach + 1)]
        yield int(np.argmax(fits)) - reach, at


@pytest.mark.timeout(300)
def test_both_channels_are_within_20_ms_over_ten_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks that drift, late frames, interruptions, pauses, a lost connection: in every five seconds of it."""
    said, heard = Timeline(), Timeline()

    async def held() -> dict[str, bytes]:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(recording_module, "time", SimpleNamespace(time=lambda: WALL + loop.time()))
        return await call(tmp_path / "spool", said, heard)

    monkeypatch.setattr(recorder_module, "PART_S", PART_S)
    parts = run(held())
    assert len(parts) == 6
    assert_no_gaps(parts)
    both = whole(parts)
    found = {
        "caller": list(lags_ms(loudness(said.samples, RATE), loudness(both[:, 0], 16_000))),
        "agent": list(lags_ms(loudness(heard.samples, RATE), loudness(both[:, 1], 16_000))),
    }
    for channel, lags in found.items():
        assert len(lags) > 100, channel
        assert max(abs(lag) for lag, _ in lags) <= MOST_MS, (channel, lags)
    silent = loudness(heard.samples, RATE) < 1
    taped = loudness(both[:, 1], 16_000)[: len(silent)]
    spilt = taped[silent[: len(taped)]] > 300
    assert spilt.mean() < 0.01  # what was cut off, and what was said while nobody was there, is not on it
    assert not list((tmp_path / "spool").rglob("*.pcm"))
