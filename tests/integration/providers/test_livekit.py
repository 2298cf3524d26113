"""Calls through a real LiveKit server, each in a network namespace of its own: ``tests/peers/livekit_calls.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import livekit_calls
import livekit_losses
import livekit_peer
import pytest
from conversation_suite import refuses_telephone_calls
from livekit_double import SECRET, LiveKitDouble

from providers.conformance.double import KEY
from voicebackend import BackendConfig

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]

CALLS = [
    "livekit_calls.py::TestConversation::test_three_turns_and_an_interruption",
    "livekit_calls.py::TestConversation::test_the_telephony_hook_routes_calls_and_tells_of_them",
    "livekit_calls.py::TestConversation::test_two_calls_never_mix",
    "livekit_calls.py::test_keys_and_messages_reach_the_session",
    "livekit_calls.py::test_a_caller_who_hangs_up_ends_the_session",
    "livekit_calls.py::test_a_caller_who_comes_back_hears_on",
    "livekit_losses.py::test_a_killed_server_is_joined_again",
    "livekit_losses.py::test_a_server_that_stays_away_ends_the_session",
    "livekit_losses.py::test_a_dead_server_is_noticed_soon_and_no_secret_is_logged",
    "livekit_calls.py::test_a_wrong_key_is_told_at_once",
    "livekit_losses.py::test_a_call_outlives_its_worker[killed]",
    "livekit_losses.py::test_a_call_outlives_its_worker[drained]",
    "livekit_calls.py::test_the_servers_webhooks_are_taken_and_end_the_session",
    "livekit_calls.py::test_a_model_that_hears_and_speaks_is_called_by_webrtc",
    "livekit_calls.py::test_the_example_that_swaps_providers_invites_its_caller",
    "livekit_losses.py::test_calls_go_on_when_the_connection_breaks_at_random_moments[0.0]",
    "livekit_losses.py::test_calls_go_on_when_the_connection_breaks_at_random_moments[6.0]",
]


async def test_telephone_calls_are_refused() -> None:
    """Whoever is routed here by the hook is told that it is for WebRTC only; no server is asked."""
    async with LiveKitDouble() as double:
        settings = {"url": double.ws_url, "api_key": KEY, "api_secret": SECRET}
        config = BackendConfig(provider="livekit", provider_config=settings, stt_provider="mock", tts_provider="mock")
        await refuses_telephone_calls(config)
        assert double.seen == []


@pytest.mark.peers
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("test", CALLS)
async def test_calls_by_webrtc(test: str) -> None:
    """A caller with LiveKit's own SDK talks with a worker of ours through LiveKit's own server."""
    await asyncio.to_thread(livekit_peer.in_namespace, test)


@pytest.mark.peers
@pytest.mark.timeout(1800)
async def test_a_call_that_was_skipped_is_an_error(tmp_path: Path) -> None:
    """It proved nothing."""
    skipped = tmp_path / "test_skipped.py"
    skipped.write_text("import pytest\n\n\ndef test_nothing():\n    pytest.skip('there is nothing')\n")
    with pytest.raises(AssertionError, match="1 skipped"):
        await asyncio.to_thread(livekit_peer.in_namespace, str(skipped))


def test_every_call_is_run() -> None:
    """One that is not named above would run nowhere: it needs the namespace."""
    named = {call.partition("[")[0] for call in CALLS}
    assert named == {*_tests_of(livekit_calls), *_tests_of(livekit_losses)}


def _tests_of(module: ModuleType) -> Iterator[str]:
    """Yield the ids of a module's tests, inherited ones too."""
    for name, found in vars(module).items():
        if name.startswith("test_"):
            yield f"{module.__name__}.py::{name}"
        elif name.startswith("Test") and found.__module__ == module.__name__:
            yield from (f"{module.__name__}.py::{name}::{test}" for test in dir(found) if test.startswith("test_"))
