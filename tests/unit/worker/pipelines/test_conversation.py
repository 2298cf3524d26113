"""A conversation in virtual time: who is heard, what is answered, what stops the agent, and what is remembered."""

from __future__ import annotations

import asyncio

import pytest
from conversation_harness import calling, in_virtual_time
from scripted_engines import COUGH, Judge, Script

from voicebackend.agents import uninterruptible

COUGHING = chr(COUGH) * 6
LONG = "The first sentence is here. The second one comes after it. And the third is the last one."


@in_virtual_time
async def test_one_second_of_speech_is_one_recognition_and_one_turn() -> None:
    """Not fifty."""
    async with calling() as call:
        await call.say("seventeen letters")
        await call.until_free()
        assert (call.script.reader.streams, call.script.reader.finished) == (1, 1)
        assert [asked.transcript for asked in call.agent.committed] == ["seventeen letters"]
        assert call.log.said("agent") == [(1, "This is my answer.", False)]
        assert call.phone.heard(1) == "This is my answer."


@in_virtual_time
async def test_speech_holds_the_agent_within_one_decision_of_the_detector() -> None:
    """The onset takes the detector its time, and the pause one more frame."""
    async with calling((LONG,), settings={"barge_in": {"echo_guard": 0}}) as call:
        await call.say("hello")
        await call.until(lambda: call.phone.heard(1))
        await asyncio.sleep(0.5)
        onset = asyncio.get_running_loop().time()
        call.begin("wait a moment")
        await call.until(lambda: call.of("pause"))
        assert call.at("pause")[0] - onset <= 0.096 + 0.02 + 0.021


@in_virtual_time
async def test_a_cough_holds_the_agent_and_it_resumes_where_it_stopped() -> None:
    """Nothing is lost and nothing said twice."""
    async with calling((LONG,)) as call:
        await call.say("hello")
        await call.until(lambda: len(call.phone.heard(1)) > 10)
        await call.say(COUGHING)
        await call.until_free()
        assert [kind for _, kind in call.phone.stopped] == ["pause", "resume"]
        assert call.phone.heard(1) == LONG.replace(". ", ".")
        assert call.log.said("agent") == [(1, LONG, False)]
        assert len(call.log.said("user")) == 1


@in_virtual_time
async def test_a_sign_of_listening_is_no_turn() -> None:
    """The agent goes on, and the log knows nothing of it."""
    async with calling((LONG,)) as call:
        await call.say("hello")
        await call.until(lambda: len(call.phone.heard(1)) > 10)
        await call.say("mhm")
        await call.until_free()
        assert call.phone.heard(1) == LONG.replace(". ", ".")
        assert [text for _, text, _ in call.log.said("user")] == ["hello"]


@in_virtual_time
async def test_a_sign_of_listening_at_the_end_is_an_answer() -> None:
    """Said while the last second is heard, "yes" answers what the agent asked."""
    async with calling(("Shall I go on with it now?",), ("Fine.",)) as call:
        await call.say("hello")
        await call.until(lambda: len(call.phone.heard(1)) > 14)
        await call.say("yes")
        await call.until_free()
        assert call.phone.heard(1) == "Shall I go on with it now?"
        assert [text for _, text, _ in call.log.said("user")] == ["hello", "yes"]
        assert call.phone.heard(2) == "Fine."


@in_virtual_time
async def test_words_stop_the_agent_and_what_was_heard_is_remembered() -> None:
    """To the word; and the next turn is answered."""
    async with calling((LONG,), ("All right.",)) as call:
        await call.say("hello")
        await call.until(lambda: "The second" in call.phone.heard(1))
        await call.say("no stop it please")
        await call.until_free()
        [(_, kept, interrupted), following] = call.log.said("agent")
        heard = call.phone.heard(1).replace("here.The", "here. The")
        assert interrupted
        assert LONG.startswith(kept)
        assert kept in {heard, heard.rpartition(" ")[0]}
        assert following == (2, "All right.", False)
        assert call.agent.asked[0].cancelled


@in_virtual_time
async def test_a_notice_is_said_to_its_end_and_the_caller_answered_then() -> None:
    """Words over it wait; with what is said after it they are one turn."""
    notice = "This call is recorded."
    async with calling((uninterruptible(notice) + " And now let me tell you more.",), ("Understood.",)) as call:
        await call.say("hello")
        await call.until(lambda: len(call.phone.heard(1)) > 4)
        await call.say("why is that")
        await call.until_free()
        assert call.phone.heard(1).startswith(notice)
        assert [text for _, text, _ in call.log.said("user")] == ["hello", "why is that"]
        assert call.phone.heard(2) == "Understood."


@in_virtual_time
async def test_what_waits_is_answered_together_with_what_interrupts() -> None:
    """In the order in which it was said, once."""
    notice = uninterruptible("This call is recorded, as the law wants it to be.")
    async with calling((notice + " And now let me tell you much more about it.",), ("Understood.",)) as call:
        await call.say("hello")
        await call.until(lambda: len(call.phone.heard(1)) > 2)
        await call.say("why is that")
        await call.until(lambda: "let me" in call.phone.heard(1))
        await call.say("stop it")
        await call.until_free()
        assert [text for _, text, _ in call.log.said("user")] == ["hello", "why is that stop it"]
        assert len(call.agent.committed) == 2


@in_virtual_time
async def test_a_right_guess_is_used() -> None:
    """Asked once, committed, and not heard before the turn was over."""
    async with calling((0.3, "This is my answer."), script=Script(judge=Judge(0.7))) as call:
        await call.say("hello there")
        await call.until_free()
        [asked] = call.agent.asked
        assert (asked.speculative, asked.committed) == (True, True)
        [latency] = call.of("turn")
        assert latency.latency_ms.e2e < latency.latency_ms.end_of_turn + 300


@in_virtual_time
async def test_a_wrong_guess_is_dropped_unheard() -> None:
    """The caller goes on: the question is cancelled, and the whole turn asked."""
    async with calling(("This is my answer.",), script=Script(judge=Judge(0.6))) as call:
        await call.say("hello there")
        await asyncio.sleep(0.45)
        assert [asked.speculative for asked in call.agent.asked] == [True]
        assert call.of("audio_start") == []
        await call.say(" and something more")
        await call.until_free()
        assert call.agent.asked[0].cancelled
        assert [asked.transcript for asked in call.agent.committed] == ["hello there and something more"]
        assert call.log.said("agent") == [(1, "This is my answer.", False)]


@in_virtual_time
async def test_an_interruption_while_the_agent_thinks_cancels_it() -> None:
    """Nothing was heard, so nothing is noted."""
    async with calling((3.0, "Too late."), ("In time.",), settings={"speculate": False}) as call:
        await call.say("hello")
        await call.until(lambda: call.states[-1] == "processing")
        await call.say("no something else")
        await call.until_free()
        assert call.agent.asked[0].cancelled
        assert call.log.said("agent") == [(2, "In time.", False)]


@in_virtual_time
async def test_an_agent_with_nothing_to_say_gives_the_floor_back() -> None:
    """No audio, no error, nothing remembered of it."""
    async with calling((0.1,)) as call:
        await call.say("hello")
        await call.until_free()
        assert (call.of("error"), call.phone.played, call.log.said("agent")) == ([], {}, [])


@in_virtual_time
async def test_a_slow_agent_is_covered_by_a_filler() -> None:
    """Said once, after the wait, before the answer."""
    settings = {"filler": {"after": 0.5, "texts": ["Let me see."]}}
    async with calling((2.0, "Here it is."), settings=settings) as call:
        await call.say("hello")
        await call.until_free()
        assert call.phone.heard(1) == "Let me see.Here it is."
        assert call.log.said("agent") == [(1, "Let me see. Here it is.", False)]


@in_virtual_time
async def test_a_greeting_comes_first_and_once() -> None:
    """Remembered as turn 0; a caller who comes back is not greeted again."""
    async with calling(settings={"greeting": "Welcome."}) as call:
        await call.until_free()
        call.leave()
        call.come_back()
        await call.until_free()
        assert call.log.said("agent") == [(0, "Welcome.", False)]
        assert call.phone.heard(0) == "Welcome."


@in_virtual_time
async def test_a_caller_who_is_away_is_asked_and_then_left() -> None:
    """Each prompt after as much silence, then goodbye, and the reason."""
    away = {"after": 5, "prompts": ["Hello?", "Anyone?"], "goodbye": "Bye."}
    async with calling(settings={"away": away}) as call:
        assert await call.pipeline.wait() == "away"
        assert [text for _, text, _ in call.log.said("agent")] == ["Hello?", "Anyone?", "Bye."]
        assert 15 <= asyncio.get_running_loop().time() <= 18


@in_virtual_time
async def test_silence_is_not_counted_on_hold() -> None:
    """Nobody is asked while nobody listens; the count begins anew afterwards."""
    async with calling(settings={"away": {"after": 5, "prompts": []}}) as call:
        call.pipeline.hold(True)
        await asyncio.sleep(60)
        call.pipeline.hold(False)
        assert await call.pipeline.wait() == "away"
        assert asyncio.get_running_loop().time() == pytest.approx(65, abs=0.5)


@in_virtual_time
async def test_a_call_has_a_longest_duration() -> None:
    """Whatever is being said."""
    async with calling((LONG * 20,), settings={"max_duration": 10}) as call:
        await call.say("hello")
        assert await call.pipeline.wait() == "max_duration"
        assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.1)


@in_virtual_time
async def test_hold_stops_the_agent_whatever_is_heard() -> None:
    """Also one that begins to speak only then; it goes on where it stood."""
    async with calling((0.5, LONG)) as call:
        await call.say("hello")
        await call.until(lambda: call.states[-1] == "processing")
        call.pipeline.hold(True)
        await asyncio.sleep(10)
        assert call.phone.played == {}
        call.pipeline.hold(False)
        await call.until_free()
        assert call.phone.heard(1) == LONG.replace(". ", ".")
