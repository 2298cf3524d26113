"""What a lane brings to a session, in whatever order its effects come about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from voicebackend.streams import EntryId, Frame, Kind
from worker.checkpoint import SessionSnapshot
from worker.lane_frames import LaneFrames
from worker.link import Attachment

SESSION = "a" * 32


class Ear:
    """Keeps what it is given."""

    def __init__(self, *, hears_again: bool = False) -> None:
        self.hears_again = hears_again
        self.heard: list[bytes] = []
        self.read: list[str] = []
        self.needs_from = 1

    def typed(self, text: str) -> None:
        """Take what was typed."""
        self.read.append(text)

    def push(self, pcm: bytes, *, again: bool = False) -> None:
        """Take audio."""
        assert not again or self.hears_again
        self.heard.append(pcm)


def attach(socket: int) -> Frame:
    """Return the frame by which a socket comes."""
    return Frame(SESSION, Kind.ATTACH, b"{}", attachment=socket)


def audio(seq: int, socket: int) -> Frame:
    """Return a frame of its audio."""
    return Frame(SESSION, Kind.AUDIO_IN, bytes([socket, seq]), seq=seq, attachment=socket)


def begun(restored: SessionSnapshot) -> tuple[LaneFrames, Any, Ear]:
    """Return frames of a restored session, whose caller's socket is 1, with its link and its ear."""
    link = SimpleNamespace(attachment=Attachment(id=1, inbox="i", sample_rate=16000), adopted=1)
    return LaneFrames(cast(Any, link), restored), link, Ear()


async def handled(frames: LaneFrames, link: Any) -> None:
    """Do as the next ``ATTACH`` says."""
    frame = await frames.control()
    frames.handling()
    link.attachment = Attachment(id=frame.attachment, inbox="i", sample_rate=16000)
    frames.attached()


async def test_audio_right_behind_its_socket_is_heard() -> None:
    """A caller who came back while nobody held the lane is replayed at once; the socket is handled in its turn."""
    frames, link, ear = begun(SessionSnapshot(version=1, audio_seq=7, heard_seq=9))
    frames.deliver(attach(2), EntryId(10, 0))
    for seq in (1, 2, 3):
        frames.deliver(audio(seq, 2), EntryId(10 + seq, 0))
    frames.begin(cast(Any, ear))
    assert ear.heard == []
    assert frames.place(1)[0] < EntryId(11, 0)
    await handled(frames, link)
    assert ear.heard == [bytes([2, seq]) for seq in (1, 2, 3)]
    frames.deliver(audio(4, 2), EntryId(20, 0))
    frames.deliver(audio(9, 1), EntryId(21, 0))
    assert ear.heard[3:] == [bytes([2, 4])]


async def test_of_two_sockets_that_came_in_quick_succession_each_is_heard_while_it_holds_the_call() -> None:
    """The first is handled while the second waits."""
    frames, link, ear = begun(SessionSnapshot(version=1))
    frames.begin(cast(Any, ear))
    for frame in (attach(2), audio(1, 2), attach(3), audio(1, 3)):
        frames.deliver(frame, EntryId(10, 0))
    await handled(frames, link)
    await handled(frames, link)
    assert ear.heard[-1:] == [bytes([3, 1])]


async def test_what_must_be_heard_again_is_not_forgotten_before_it_was() -> None:
    """A checkpoint of an heir that has heard nothing yet begins where the one before it did."""
    frames, _, ear = begun(SessionSnapshot(version=1, position=EntryId(9, 0), replay_from=EntryId(5, 0), audio_seq=4))
    assert frames.place(1) == (EntryId(5, 0), 4)
    frames.deliver(audio(5, 1), EntryId(10, 0))
    frames.begin(cast(Any, ear))
    assert frames.place(1) == (EntryId(10, 0), 4)
    assert frames.place(2) == (EntryId(10, 0), 5)


async def test_what_comes_between_two_pipelines_is_for_the_second() -> None:
    """Text and audio that arrive while the first has stopped; audio it had not done with comes before that."""
    frames, _, before = begun(SessionSnapshot(version=1))
    frames.begin(cast(Any, before))
    frames.deliver(audio(1, 1), EntryId(10, 0))
    frames.hold()
    frames.deliver(audio(2, 1), EntryId(11, 0))
    frames.deliver(Frame(SESSION, Kind.TEXT, b"hello"), EntryId(12, 0))
    after = Ear(hears_again=True)
    frames.swap(cast(Any, after), 0)
    assert (before.heard, before.read) == ([bytes([1, 1])], [])
    assert (after.heard, after.read) == ([bytes([1, 1]), bytes([1, 2])], ["hello"])
    frames.deliver(audio(3, 1), EntryId(13, 0))
    assert after.heard[2:] == [bytes([1, 3])]
