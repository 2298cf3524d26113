"""What fails in a conversation, in virtual time, and that it goes on: agents, engines, the log, the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from conversation_harness import Log, calling, in_virtual_time
from scripted_engines import Reader, Script, Voice, _ReaderStream, sound

from voicebackend.errors import AgentError, ConnectionFailed, PipelineError, VoiceBackendError
from voicebackend.interfaces import Recognition, SttStream, WordTime

LONG = "The first sentence is here. The second one comes after it. And the third is the last one."


@in_virtual_time
async def test_a_voice_that_fails_is_heard_as_far_as_it_came() -> None:
    """The first sentence is heard whole, the error told, and the session goes on."""
    script = Script(voice=Voice(errors={2: PipelineError("voice", "scripted")}))
    async with calling((LONG,), script=script) as call:
        await call.say("hello")
        await call.until_free()
        assert call.phone.heard(1) == "The first sentence is here."
        assert call.log.said("agent") == [(1, "The first sentence is here.", False)]
        assert [error.code for error in call.of("error")] == ["pipeline_error"]
        await call.say("again")
        await call.until_free()
        assert call.phone.heard(2) == LONG.replace(". ", ".")


@in_virtual_time
async def test_a_voice_that_is_away_for_a_moment_is_asked_again() -> None:
    """The caller hears the answer a little later, and of no error."""
    script = Script(voice=Voice(errors={1: ConnectionFailed("voice", "scripted")}))
    async with calling(script=script) as call:
        await call.say("hello")
        await call.until_free()
        assert call.phone.heard(1) == "This is my answer."
        assert call.of("error") == []


@in_virtual_time
async def test_a_recogniser_that_fails_costs_what_was_said() -> None:
    """The caller hears an apology, and is understood the next time; one that fails for ever ends the session."""
    async with calling(script=Script(reader=Reader(fails_at=frozenset({1})))) as call:
        await call.say("hello")
        await call.until_free()
        assert call.phone.heard(1).startswith("Sorry")
        await call.say("hello again")
        await call.until_free()
        assert [text for _, text, _ in call.log.said("user")] == ["hello again"]
    async with calling(script=Script(reader=Reader(fails_at=frozenset(range(100))))) as call:
        ended = asyncio.create_task(call.pipeline.wait())
        for _ in range(4):
            await call.say("hello")
            await asyncio.sleep(8)
        with pytest.raises(VoiceBackendError, match="scripted failure"):
            await ended


@pytest.mark.parametrize("apology", ["So sorry.", None])
@in_virtual_time
async def test_an_agent_that_fails_is_apologised_for(apology: str | None) -> None:
    """If that is wanted; the session goes on."""
    async with calling((AgentError("agent", "no"),), ("Better.",), settings={"apology": apology}) as call:
        await call.say("hello")
        await call.until_free()
        assert [error.code for error in call.of("error")] == ["agent_error"]
        assert call.phone.heard(1) == (apology or "")
        await call.say("again")
        await call.until_free()
        assert call.phone.heard(2) == "Better."


@in_virtual_time
async def test_a_log_that_is_away_costs_the_turn() -> None:
    """The caller is told; once it is back, so is the conversation."""
    log = Log(error=ConnectionFailed("log", "scripted"))
    async with calling(log=log) as call:
        await call.say("hello")
        await call.until_free()
        assert [error.code for error in call.of("error")] == ["connection_failed"]
        assert call.agent.committed == []
        log.error = None
        await call.say("again")
        await call.until_free()
        assert call.phone.heard(2) == "This is my answer."


@in_virtual_time
async def test_audio_of_the_application_is_bounded() -> None:
    """No more than 64 pieces wait; the call goes on."""
    async with calling() as call:
        for _ in range(100):
            call.pipeline.say(bytes(6400))
        await asyncio.sleep(30)
        assert len(call.phone.played[1]) == 64 * 6400
        await call.say("hello")
        await call.until_free()
        assert [text for _, text, _ in call.log.said("agent")] == ["This is my answer."]


@in_virtual_time
async def test_an_ear_that_cannot_follow_drops_the_oldest() -> None:
    """A minute pushed at once: what waits is bounded, and what comes after is heard."""
    async with calling() as call:
        pcm = sound("lost words") + bytes(640 * 400) + sound("newest") + bytes(640 * 100)
        for at in range(0, len(pcm), 640):
            call.pipeline.push(pcm[at : at + 640])
        await call.until_free()
        await call.say("hello")
        await call.until_free()
        assert [text for _, text, _ in call.log.said("user")] == ["newest", "hello"]


@in_virtual_time
async def test_a_network_spike_is_not_heard() -> None:
    """For 0.4 s nothing gets through to the phone's side: half a second is ahead of the ear."""
    async with calling((LONG,), lane_s=0.001) as call:
        await call.say("hello")
        await call.until(lambda: len(call.phone.heard(1)) > 10)
        call.line.stall(0.4)
        await call.until_free()
        assert call.phone.heard(1) == LONG.replace(". ", ".")
        assert call.phone.gaps == []


class HangingVoice(Voice):
    """Never says its first clause."""

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Wait for ever, once."""
        if not self.calls:
            self.calls += 1
            await asyncio.Event().wait()
        async for made in super().synthesize(text):
            yield made


@in_virtual_time
async def test_a_voice_that_hangs_is_given_up() -> None:
    """The caller is told, and the next answer is heard."""
    async with calling(script=Script(voice=HangingVoice())) as call:
        await call.say("hello")
        await call.until_free()
        assert [error.code for error in call.of("error")] == ["timeout"]
        await call.say("again")
        await call.until_free()
        assert call.phone.heard(2) == "This is my answer."


@in_virtual_time
async def test_a_recogniser_that_hangs_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said is lost, with an apology; the next words are understood."""
    hung: list[SttStream] = []
    finish = _ReaderStream.finish

    async def hang_once(stream: SttStream) -> Recognition:
        if not hung:
            hung.append(stream)
            await asyncio.Event().wait()
        return await finish(stream)  # type: ignore[arg-type]  # it is one of ours

    monkeypatch.setattr(_ReaderStream, "finish", hang_once)
    async with calling() as call:
        await call.say("hello")
        await asyncio.sleep(12)
        await call.until_free()
        assert [error.code for error in call.of("error")] == ["timeout"]
        await call.say("hello again")
        await call.until_free()
        assert [text for _, text, _ in call.log.said("user")] == ["hello again"]
