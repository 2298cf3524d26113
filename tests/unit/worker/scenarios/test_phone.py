"""The simulated phone plays in real time, obeys at once, and tells exactly what came out of it."""

from __future__ import annotations

import asyncio

import pytest

from providers.mock.tones import speak
from voicebackend import virtual_time
from voicebackend.events import AudioEnd, AudioStart, Clear, Pause, Resume
from worker.scenarios.loudspeaker import Loudspeaker
from worker.scenarios.microphone import Microphone
from worker.scenarios.sightings import Kind
from worker.scenarios.tape import Tape
from worker.scenarios.timeline import Timeline

RATE = 16_000


def _phone(reports: list[tuple[int, float]] | None = None) -> tuple[Loudspeaker, Timeline]:
    timeline = Timeline()
    report = None if reports is None else lambda turn, ms: reports.append((turn, ms))
    return Loudspeaker(RATE, timeline, tape=Tape, report=report), timeline


def _begin(phone: Loudspeaker, text: str, turn: int = 1) -> None:
    phone.receive(AudioStart(turn=turn).to_json())
    phone.receive(speak(text, RATE))


async def _for(phone: Loudspeaker, seconds: float) -> None:
    await asyncio.sleep(seconds)
    phone.advance()


def test_words_sound_when_their_audio_does() -> None:
    """Half a second of silence at the start moves them all."""

    async def play() -> list[tuple[str, float]]:
        phone, timeline = _phone()
        await _for(phone, 0.5)
        _begin(phone, "one two ")
        phone.receive(AudioEnd(turn=1).to_json())
        await _for(phone, 2.0)
        assert phone.is_silent
        return [(event.text, event.at) for event in timeline.in_order() if event.kind is Kind.HEARS]

    assert virtual_time.run(play()) == [("one", pytest.approx(0.5, abs=0.01)), ("two", pytest.approx(0.74, abs=0.01))]


def test_a_pause_holds_the_audio_and_a_resume_goes_on_without_a_gap() -> None:
    """Not a character is lost, and none is heard meanwhile."""

    async def play() -> None:
        phone, _ = _phone()
        _begin(phone, "one two three ")
        await _for(phone, 0.3)
        phone.receive(Pause(turn=1).to_json())
        await _for(phone, 5.0)
        assert phone.heard_s == pytest.approx(0.3, abs=0.001)
        phone.receive(Resume(turn=1).to_json())
        await _for(phone, 2.0)
        assert phone.turns[1].tape.text == "one two three "

    virtual_time.run(play())


def test_a_clear_drops_the_rest_and_later_audio_of_the_turn_is_a_problem() -> None:
    """The next turn is heard."""

    async def play() -> None:
        phone, timeline = _phone()
        _begin(phone, "one two three ")
        await _for(phone, 0.3)
        phone.receive(Clear(turn=1).to_json())
        await _for(phone, 1.0)
        assert [event.text for event in timeline.events if event.kind is Kind.HEARS] == ["one"]
        assert timeline.problems == []
        phone.receive(speak("x", RATE))
        assert timeline.problems == ["audio of turn 1 came after it was cleared"]
        _begin(phone, "four ", turn=2)
        await _for(phone, 1.0)
        assert phone.turns[2].tape.text == "four "

    virtual_time.run(play())


def test_a_phone_that_reports_tells_where_it_stopped() -> None:
    """At once, to the sample, and every now and then before."""

    async def play() -> list[tuple[int, float]]:
        reports: list[tuple[int, float]] = []
        phone, _ = _phone(reports)
        _begin(phone, "one two three ")
        await _for(phone, 0.25)
        await _for(phone, 0.05)
        phone.receive(Pause(turn=1).to_json())
        return reports

    reports = virtual_time.run(play())
    assert reports[-1] == (1, pytest.approx(300.0, abs=0.2))
    assert len(reports) >= 2


def test_the_microphone_sends_a_frame_every_20_ms_and_adds_up_what_sounds() -> None:
    """Silence too; a sound begins with the next frame."""

    async def speak_up() -> list[tuple[float, bytes]]:
        sent: list[tuple[float, bytes]] = []
        clock = asyncio.get_running_loop().time
        microphone = Microphone(RATE, lambda pcm: sent.append((clock(), pcm)))
        running = asyncio.create_task(microphone.run())
        await asyncio.sleep(0.05)
        sound = microphone.sound(b"\x01\x00" * 480, lambda: None)
        microphone.sound(b"\x02\x00" * 320, lambda: None)
        await sound.done.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return sent

    sent = virtual_time.run(speak_up())
    assert [at for at, _ in sent] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.10])
    assert [pcm[:2] for _, pcm in sent] == [b"\0\0", b"\0\0", b"\0\0", b"\x03\0", b"\x01\0"]
    assert sent[-1][1] == b"\x01\0" * 160 + b"\0\0" * 160
