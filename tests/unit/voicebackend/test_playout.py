"""The playout clock in virtual seconds: never too far ahead, nothing lost, and honest about what was heard."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebackend.playout import AHEAD_S, MAX_QUEUED_S, MESSAGE_S, Playout

RATE = 16_000
FRAME = b"\x01\x00" * 320  # 20 ms


@dataclass
class Listener:
    """A caller that plays at real time, modelled apart from the code under test: sample by sample in spirit."""

    playout: Playout
    now: float = 100.0
    got: list[bytes | str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def drain(self) -> None:
        """Take everything that is due now."""
        while (item := self.playout.due(self.now)) is not None:
            self.got.append(item)
            self.times.append(self.now)

    def run(self, seconds: float) -> None:
        """Let time pass as the caller task does: sleep as told, take what is due."""
        end = self.now + seconds
        self.drain()
        while (wait := self.playout.wait_s(self.now)) is not None and self.now + wait <= end:
            self.now += max(wait, 0.0005)
            self.drain()
        self.now = max(self.now, end)
        self.drain()

    def audio_s(self) -> float:
        """Return the seconds of audio that came."""
        return sum(len(item) for item in self.got if isinstance(item, bytes)) / 2 / RATE


def listener() -> Listener:
    """Return a caller that has just attached."""
    return Listener(Playout(RATE))


def test_what_comes_in_real_time_goes_out_at_once() -> None:
    """A short answer does not wait."""
    caller = listener()
    caller.playout.push_audio(1, FRAME * 10)
    caller.drain()
    assert caller.audio_s() == pytest.approx(0.2)


def test_a_long_answer_is_sent_as_it_is_spoken() -> None:
    """Two seconds of audio take 1.8 s to send."""
    caller = listener()
    caller.playout.push_audio(1, FRAME * 100)
    caller.run(5)
    assert caller.audio_s() == pytest.approx(2.0)
    assert caller.times[-1] - caller.times[0] == pytest.approx(1.8, abs=0.03)


def test_a_well_filled_buffer_gets_few_messages_and_never_runs_low() -> None:
    """A second of audio: 200 ms at once, then 60 ms at a time, with at least 140 ms in hand."""
    caller = listener()
    caller.playout.push_audio(1, FRAME * 50)
    caller.run(0.75)
    assert [len(item) // len(FRAME) for item in caller.got] == [10, *[3] * 12]
    assert caller.playout.ahead_s >= 0.2 - MESSAGE_S - 0.001


def test_messages_keep_their_place_among_the_audio() -> None:
    """What was said after the audio comes after it."""
    caller = listener()
    caller.playout.push_text("start")
    caller.playout.push_audio(1, FRAME * 20)
    caller.playout.push_text("end")
    caller.run(1)
    assert [caller.got[0], caller.got[-1]] == ["start", "end"]
    assert caller.audio_s() == pytest.approx(0.4)


def test_clear_overtakes_and_drops_only_its_turn() -> None:
    """The next turn's audio and all messages stay; the caller's buffer is empty again."""
    caller = listener()
    caller.playout.push_audio(1, FRAME * 50)
    caller.playout.push_text("between")
    caller.playout.push_audio(2, FRAME * 5)
    caller.drain()
    caller.playout.clear(1, "clear", caller.now)
    caller.drain()
    assert caller.got == [FRAME * 10, "clear", "between", FRAME * 5]
    assert caller.playout.ahead_s == pytest.approx(0.1)


def test_pause_holds_and_resume_goes_on_where_it_was() -> None:
    """Nothing is sent or counted as heard meanwhile, nothing is lost."""
    caller = listener()
    caller.playout.push_audio(1, FRAME * 50)
    caller.run(0.3)
    before = caller.audio_s()
    caller.playout.pause(1, "pause", caller.now)
    caller.run(10)
    assert (caller.audio_s(), caller.got[-1]) == (before, "pause")
    assert sum(heard.ms for heard in caller.playout.heard(caller.now)) == pytest.approx(300, abs=1)
    caller.run(60)
    assert caller.playout.heard(caller.now) == []
    caller.playout.resume(1, "resume", caller.now)
    caller.run(2)
    assert caller.audio_s() == pytest.approx(1.0)


def test_a_telephone_plays_on_while_its_turn_is_paused_and_is_filled_again() -> None:
    """What it had is heard, and said to be; it gets a whole cushion when the turn goes on, and that is not late."""
    caller = Listener(Playout(RATE, stands_still=False))
    caller.playout.push_audio(1, FRAME * 50)
    caller.run(0.3)
    before = caller.audio_s()
    caller.playout.pause(1, "pause", caller.now)
    caller.run(10)
    assert (caller.audio_s(), caller.got[-1]) == (before, "pause")
    assert caller.playout.ahead_s == 0
    assert caller.playout.heard(caller.now)[-1].ms == pytest.approx(before * 1000)
    caller.playout.resume(1, "resume", caller.now)
    caller.drain()
    assert caller.audio_s() - before == pytest.approx(AHEAD_S)
    caller.run(2)
    assert caller.audio_s() == pytest.approx(1.0)
    assert caller.playout.late == 0


def test_clearing_a_paused_turn_lets_the_next_one_play() -> None:
    """A barge-in that was meant ends the pause with the turn."""
    caller = listener()
    caller.playout.push_audio(1, FRAME * 50)
    caller.run(0.1)
    caller.playout.pause(1, "pause", caller.now)
    caller.playout.clear(1, "clear", caller.now)
    caller.playout.push_audio(2, FRAME)
    caller.drain()
    assert caller.got[-3:] == ["pause", "clear", FRAME]


def test_a_pause_of_another_turn_holds_nothing() -> None:
    """Pausing turn 7 does not stop turn 1."""
    caller = listener()
    caller.playout.pause(7, "pause", caller.now)
    caller.playout.push_audio(1, FRAME * 20)
    caller.run(1)
    assert caller.audio_s() == pytest.approx(0.4)


def test_no_more_than_half_a_minute_waits() -> None:
    """What comes beyond is dropped and counted."""
    caller = listener()
    caller.playout.push_audio(1, FRAME * 2000)
    assert caller.playout.dropped == 2000 - round(MAX_QUEUED_S / 0.02)
    caller.run(60)
    assert caller.audio_s() == pytest.approx(MAX_QUEUED_S)


def test_what_was_heard_is_reported_about_every_fifth_of_a_second() -> None:
    """And exactly, at the end."""
    caller = listener()
    caller.playout.push_audio(4, FRAME * 51)
    reports = []
    for _ in range(300):
        caller.run(0.01)
        reports += caller.playout.heard(caller.now)
    assert {heard.turn for heard in reports} == {4}
    assert [heard.ms for heard in reports] == sorted(heard.ms for heard in reports)
    assert reports[-1].ms == pytest.approx(1020, abs=0.2)
    assert 5 <= len(reports) <= 7


def test_audio_that_comes_after_a_gap_in_its_turn_is_late() -> None:
    """The caller's buffer had run dry; a new turn is no gap."""
    caller = listener()
    caller.playout.push_audio(1, FRAME)
    caller.run(1)
    caller.playout.push_audio(1, FRAME * 3)
    caller.run(1)
    caller.playout.push_audio(2, FRAME)
    caller.run(1)
    assert caller.playout.late == 1


def test_the_end_drops_audio_and_keeps_messages() -> None:
    """``ended`` need not wait for a goodbye that nobody wants any more."""
    caller = listener()
    caller.playout.push_audio(1, FRAME * 100)
    caller.playout.push_text("ended")
    caller.playout.finish()
    caller.drain()
    assert caller.got == ["ended"]
    assert caller.playout.is_empty


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("audio"), st.integers(0, 3), st.integers(1, 40)),
        st.tuples(st.just("text"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("clear"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("pause"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("resume"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 3), st.integers(1, 100)),
    ),
    max_size=40,
)


def act(caller: Listener, action: str, turn: int, amount: int) -> None:
    """Do one of the actions now."""
    playout = caller.playout
    match action:
        case "audio":
            playout.push_audio(turn, FRAME * amount)
        case "text":
            playout.push_text(f"text {turn}")
        case "wait":
            caller.run(amount / 50)
        case _:
            getattr(playout, action)(turn, action, caller.now)
    caller.drain()


@given(ACTIONS)
@settings(max_examples=1500, deadline=None)
def test_whatever_happens_the_caller_is_never_flooded_and_never_stuck(actions: list[tuple[str, int, int]]) -> None:
    """At most 200 ms ahead at any time; once nothing is paused all that was not cleared comes."""
    caller = listener()
    playout, heard = caller.playout, dict.fromkeys(range(4), 0.0)
    for action, turn, amount in actions:
        act(caller, action, turn, amount)
        assert playout.ahead_s <= AHEAD_S + 1e-6
        for report in playout.heard(caller.now):
            assert report.ms >= heard[report.turn]
            heard[report.turn] = report.ms
    for turn in range(4):
        playout.resume(turn, "resume", caller.now)
    caller.run(60)
    heard |= {report.turn: report.ms for report in playout.heard(caller.now)}
    pushed_s = sum(amount for action, _, amount in actions if action == "audio") * 0.02
    cleared = any(action == "clear" for action, *_ in actions)
    assert (playout.is_empty, playout.ahead_s) == (True, pytest.approx(0, abs=1e-6))
    assert caller.audio_s() <= pushed_s + 1e-6
    assert cleared or playout.dropped or caller.audio_s() == pytest.approx(pushed_s)
    assert sum(heard.values()) <= caller.audio_s() * 1000 + 1


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 0.3)), min_size=1, max_size=60))
@settings(max_examples=500, deadline=None)
def test_a_caller_that_plays_in_real_time_never_holds_more_than_it_may(pieces: list[tuple[int, float]]) -> None:
    """Judged by a model of its own: what was sent minus the time since playing began."""
    caller = listener()
    for frames, gap in pieces:
        caller.playout.push_audio(1, FRAME * frames)
        caller.run(gap)
    caller.run(30)
    playhead = 0.0
    for item, at in zip(caller.got, caller.times, strict=True):
        playhead = max(playhead, at) + len(item) / 2 / RATE
        assert playhead - at <= AHEAD_S + 0.001
