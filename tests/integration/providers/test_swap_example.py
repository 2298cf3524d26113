"""``examples/swap_provider.py`` with each provider, and engines by themselves: one word of its YAML file changes."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from cartesia_double import VOICE, CartesiaDouble
from elevenlabs_double import VOICE_ID, ElevenLabsDouble
from listening import answer_to, voice
from openai_double import OpenAiDouble
from pipecat_call import Manner
from pipecat_double import PipecatDouble
from vapi_double import VapiDouble
from vocode_double import VocodeDouble

from providers.conformance.double import KEY, Double

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]
EXAMPLE = Path(__file__).parents[3] / "examples" / "swap_provider.py"
SAID = "hello there"


@pytest.fixture
async def vendors() -> AsyncIterator[Mapping[str, Double]]:
    """Give those of which an engine is chosen by itself."""
    async with OpenAiDouble() as openai, ElevenLabsDouble() as elevenlabs:
        yield {"openai": openai, "elevenlabs": elevenlabs}


@pytest.fixture
async def written(tmp_path: Path, vendors: Mapping[str, Double]) -> AsyncIterator[Path]:
    """Give the example's file with the vendors' doubles in it."""
    async with AsyncExitStack() as stack:
        pipecat = await stack.enter_async_context(PipecatDouble(Manner(pace=1.0)))
        vocode = await stack.enter_async_context(VocodeDouble())
        vapi = await stack.enter_async_context(VapiDouble())
        cartesia = await stack.enter_async_context(CartesiaDouble())
        openai, elevenlabs = vendors["openai"].url, vendors["elevenlabs"].url
        config = yaml.safe_load(EXAMPLE.with_suffix(".yaml").read_text())
        config["engine_settings"] |= {
            "provider/mock": {"decode": True, "seconds_per_character": 0.05},
            "pipecat": {"pipecat_server_url": f"{pipecat.ws_url}/ws", "api_key": KEY},
            "vocode": {"url": f"{vocode.ws_url}/conversation", "api_key": KEY},
            "vapi": {"api_url": vapi.url, "assistant_id": "assistant"},
            "cartesia": {"api_url": cartesia.url, "stt_model_id": "a", "model_id": "b", "voice_id": VOICE},
            "stt/mock": {"decode": True},
            "tts/mock": {"seconds_per_character": 0.05},
            "stt/openai": {"api_url": f"{openai}/v1", "model": "hear-1"},
            "tts/openai": {"api_url": f"{openai}/v1", "model": "speak-1", "voice": "marin"},
            "tts/elevenlabs": {"api_url": elevenlabs, "model_id": "a_model", "voice_id": VOICE_ID},
        }
        config |= {"vad_provider": "energy", "noise_cancellation_provider": "none"}  # tones are no speech
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        (tmp_path / "speech.pcm").write_bytes(voice(SAID, 16_000))
        yield path


def choose(path: Path, field: str, name: str) -> None:
    """Change the one word."""
    text, changed = re.subn(rf"^{field}: mock$", f"{field}: {name}", path.read_text(), flags=re.MULTILINE)
    assert changed == 1
    path.write_text(text)


async def told_by(written: Path) -> list[str]:
    """Run the example, and return the lines that it prints."""
    keys = dict.fromkeys(("VAPI_API_KEY", "CARTESIA_API_KEY", "OPENAI_API_KEY", "ELEVENLABS_API_KEY"), KEY)
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE), str(written), str(written.with_name("speech.pcm"))),
        env={**os.environ, **keys},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, errors = await running.communicate()
    assert running.returncode == 0, errors.decode()[-3000:]
    return [line.strip() for line in out.decode().splitlines()]


@pytest.mark.parametrize(
    ("provider", "ours"), [("mock", True), ("cartesia", True), ("pipecat", False), ("vocode", False), ("vapi", False)]
)
async def test_only_the_providers_name_changes(written: Path, provider: str, ours: bool) -> None:
    """The caller is understood and answered; the app says whose agent that was."""
    choose(written, "provider", provider)
    told, *said = await told_by(written)
    assert told == f"{provider}: " + ("our agent answers" if ours else "answers by itself, our agent is left out")
    assert said == [f"user: {SAID}", f"agent: {answer_to(SAID)}"]


@pytest.mark.parametrize(
    ("field", "name"),
    [("stt_provider", "openai"), ("tts_provider", "openai"), ("tts_provider", "elevenlabs")],
)
async def test_only_an_engines_name_changes(
    written: Path, vendors: Mapping[str, Double], field: str, name: str
) -> None:
    """The caller is understood and answered by an agent of ours, and that vendor was asked, no other."""
    choose(written, "provider", "local")
    choose(written, field, name)
    assert await told_by(written) == ["local: our agent answers", f"user: {SAID}", f"agent: {answer_to(SAID)}"]
    assert {vendor for vendor, double in vendors.items() if double.seen} == {name}
    assert vendors[name].garbled == []
