"""What of a configuration goes to another process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from voicebackend.config import BackendConfig
from voicebackend.embedded.references import check_names_only, with_references
from voicebackend.embedded.stack import to_plain
from voicebackend.errors import InvalidConfig

CONFIG = BackendConfig(provider="mock", stt_provider="mock", tts_provider="mock")


class Limiter:
    async def allow(self, key: str) -> bool:
        return True

    async def wait(self, key: str) -> None:
        return None


class Louder:
    name, order, stages = "louder", 2, {"pre_stt"}

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        return audio


def register(target: Any, *, name: str = "", order: int = 0, stages: Sequence[str] = ()) -> str:
    """Stand in for the registry."""
    return f"remote:here:{type(target).__name__}{name}{order}{''.join(stages)}"


def test_objects_become_references_and_names_stay() -> None:
    """A processor's name, order and stages travel with its reference."""
    config = CONFIG.with_rate_limiter(Limiter()).with_custom_processors([Louder(), "other:Processor"])
    sent = with_references(config, register)
    assert sent.rate_limiter == "remote:here:Limiter0"
    assert sent.custom_processors == ("remote:here:Louderlouder2pre_stt", "other:Processor")
    assert sent.provider == "mock"


def test_what_is_sent_loads_again_as_the_same_configuration() -> None:
    """Durations, enums and all: plain values, none of them an object."""
    config = CONFIG.with_timeout(3).with_latency_target(0.2).with_auth_hook("auth:Hook").with_vad_provider(None)
    assert BackendConfig(**to_plain(config)) == config


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (CONFIG.with_rate_limiter(object()), "allow, wait"),
        (CONFIG.with_custom_processors([Limiter()]), "name, order, process"),
        (CONFIG.with_multimodal_model(object()), "object is no function and no agent"),
        (CONFIG.with_chat_model(object()), "object is no function and no agent"),
    ],
)
def test_an_object_that_cannot_be_called_is_refused(config: BackendConfig, words: str) -> None:
    """Nothing is registered, and the error names what is missing."""
    registered: list[object] = []

    def note(target: object, **_: object) -> str:
        registered.append(target)
        return "remote:a:b"

    with pytest.raises(InvalidConfig, match=words):
        with_references(config.with_auth_hook("auth:Hook"), note)
    assert registered == []


def test_a_part_is_registered_by_its_object() -> None:
    """So that the same object is the same reference the next time; what is called is the part."""
    registered: list[tuple[object, object]] = []

    def note(target: object, part: object = None, **_: object) -> str:
        registered.append((target, type(part).__name__))
        return "remote:a:b"

    def history(key: str) -> str:
        return key

    assert with_references(CONFIG.with_memory(history), note).memory == "remote:a:b"
    assert registered == [(history, "MemoryPart")]


def test_servers_elsewhere_take_names_only() -> None:
    """The first object is named by its field."""
    check_names_only(CONFIG.with_rate_limiter("limits:Limiter").with_custom_processors(["a:b"]))
    with pytest.raises(InvalidConfig, match="custom_processors"):
        check_names_only(CONFIG.with_custom_processors(["a:b", Louder()]))
