"""A voice made of several, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from flaky import FlakyTts, Kind

from providers.failover.candidates import Candidates
from providers.failover.switch import Switch
from providers.failover.tts import FailoverTts
from providers.mock.tones import spoken
from voicebackend.errors import ConnectionFailed
from voicebackend.interfaces import WordTime
from voicebackend.virtual_time import run

TEXT = "The quick brown fox jumps over the lazy dog."


class Call:
    """Voices behind one."""

    def __init__(self, engines: int = 2, **settings: object) -> None:
        self.engines = [FlakyTts(f"tts{at}", **settings) for at in range(engines)]
        self.switches: list[Switch] = []
        whole = FailoverTts(Candidates(self.engines), timeout_s=1.0 if engines > 1 else None)
        self.engine = whole.noting(self.switches.append)
        self.words: list[WordTime] = []
        self.waited_s = 0.0

    async def say(self, text: str = TEXT) -> str:
        """Return what was heard, and note the longest wait for a piece."""
        clock = asyncio.get_running_loop().time
        pcm, last = b"", clock()
        async for piece in self.engine.synthesize(text):
            if isinstance(piece, WordTime):
                self.words.append(piece)
            else:
                pcm += piece
            self.waited_s, last = max(self.waited_s, clock() - last), clock()
        return spoken(pcm, self.engine.sample_rate)


@pytest.mark.parametrize("kind", ["dead", "limit", "hang"])
def test_a_voice_that_says_nothing_is_replaced_for_the_whole_text(kind: Kind) -> None:
    """Within the time that a caller waits."""

    async def main() -> None:
        call = Call()
        call.engines[0].trouble.order(kind)
        assert await call.say() == TEXT
        assert call.waited_s <= 1.5
        assert [(switch.to, switch.lost) for switch in call.switches] == [("tts1", ())]
        assert await call.say() == TEXT
        assert len(call.switches) == 1  # it is left alone for a while

    run(main())


@pytest.mark.parametrize("pieces", range(1, 6))
def test_with_word_times_the_rest_is_said_from_the_first_word_not_heard_whole(pieces: int) -> None:
    """No word is lost, and none is said twice but the one that was cut off."""

    async def main() -> None:
        call = Call(word_times=True)
        call.engines[0].die_after = pieces
        heard = await call.say()
        # the connection is made again, so the same voice goes on behind the words that were heard whole
        whole = TEXT[: pieces * 8].rpartition(" ")[0] if TEXT[pieces * 8] != " " else TEXT[: pieces * 8]
        assert heard == TEXT[: pieces * 8] + TEXT[len(whole) :].lstrip()
        told = [word.word for word in call.words]
        assert [word for at, word in enumerate(told) if told[at - 1 : at] != [word]] == TEXT.split()
        assert all(switch.lost == () for switch in call.switches)

    run(main())


def test_without_word_times_a_clause_that_was_begun_ends_as_it_is() -> None:
    """Rather less than twice; the log says so, and the next clause is whole."""

    async def main() -> None:
        call = Call()
        call.engines[0].die_after = 2
        assert await call.say() == TEXT[:16]
        assert [switch.lost for switch in call.switches] == [("speech",)]
        assert await call.say() == TEXT

    run(main())


def test_a_voice_of_another_rate_is_brought_to_the_first_ones() -> None:
    """The pipeline knows one rate only."""

    async def main() -> None:
        first, second = FlakyTts("first", sample_rate=24_000), FlakyTts("second", sample_rate=16_000)
        first.trouble.order("dead")
        engine = FailoverTts(Candidates([first, second]), timeout_s=1.0)
        pcm = b"".join([piece async for piece in engine.synthesize(TEXT) if isinstance(piece, bytes)])
        assert spoken(pcm, 24_000) == TEXT

    run(main())


def test_when_none_speaks_it_says_so() -> None:
    """Each was asked once: the pipeline tries again as its own settings say."""

    async def main() -> None:
        call = Call()
        for engine in call.engines:
            engine.trouble.order("dead")
        with pytest.raises(ConnectionFailed):
            await call.say()
        assert [engine.trouble.calls for engine in call.engines] == [1, 1]

    run(main())


def test_a_voice_that_breaks_again_and_again_comes_to_an_end() -> None:
    """It is asked a limited number of times."""

    async def main() -> None:
        call = Call(engines=1, word_times=True)
        engine = call.engines[0]
        engine.die_after = engine.die_again = 1
        with pytest.raises(ConnectionFailed):
            await call.say()
        assert engine.texts == [TEXT, TEXT[4:]]

    run(main())


def test_stopping_in_the_middle_releases_the_voice() -> None:
    """A caller who interrupts leaves nothing open."""

    async def main() -> None:
        call = Call()
        audio = call.engine.synthesize(TEXT)
        assert await anext(audio)
        await audio.aclose()  # type: ignore[attr-defined]  # a generator, as all of them
        assert call.engines[0].trouble.open == 0

    run(main())
