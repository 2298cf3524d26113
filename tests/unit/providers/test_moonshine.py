"""Moonshine's tokens, and what is made of them."""

from __future__ import annotations

import pytest

from providers import packages
from providers.engines.stt import moonshine
from providers.engines.stt.moonshine import read_tokens, to_text
from providers.registry import STT
from voicebackend.errors import InvalidConfig, PipelineError

SPECIAL = [b"<unk>", b"<s>", b"</s>"]


def test_tokens_are_prefixed_with_their_length() -> None:
    """In one byte up to 127, in two from there on; an empty token keeps its place."""
    long = b"x" * 300
    data = b"\x03abc" + b"\x00" + bytes([300 % 128 + 128, 300 // 128]) + long + b"\x01d"
    assert read_tokens(data) == [b"abc", b"", long, b"d"]


def test_the_installed_vocabulary_is_the_one_that_the_model_speaks() -> None:
    """32,768 tokens: three special ones, the 256 bytes, then words."""
    path = packages.file("moonshine_voice", "assets", "tiny-en", "tokenizer.bin", extra="local", op="test")
    tokens = read_tokens(path.read_bytes())
    assert len(tokens) == 32_768
    assert tokens[:3] == SPECIAL
    assert tokens[3:259] == [bytes([byte]) for byte in range(256)]


def test_words_are_spelled_from_tokens() -> None:
    """The mark is a space; bytes of one character come in several tokens; special tokens are nothing."""
    tokens = [*SPECIAL, "▁caf".encode(), b"\xc3", b"\xa9", "▁".encode(), b"<<ST_1>>", b"bar"]
    assert to_text(tokens, [1, 3, 4, 5, 7, 6, 8, 2]) == "café bar"


@pytest.mark.parametrize("text", ["♪", "♪♪ ♪", "...", ""])
def test_text_without_a_word_is_nothing(text: str) -> None:
    """The model writes notes for hum."""
    assert to_text([*SPECIAL, text.encode()], [3]) == ""


def test_broken_bytes_do_not_fail() -> None:
    """Half a character is a replacement mark."""
    assert to_text([*SPECIAL, b"a", b"\xc3"], [3, 4]) == "a�"


async def test_an_engine_that_is_not_open_says_so() -> None:
    """Also after it was closed."""
    engine = STT.create("moonshine")
    with pytest.raises(PipelineError, match="not open"):
        await engine.stream(lambda _: None)
    await engine.aclose()


async def test_a_release_without_the_weights_gives_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later releases of the package dropped them."""
    monkeypatch.setattr(moonshine.packages, "folder", lambda _: None)
    with pytest.raises(InvalidConfig, match="pip install"):
        await moonshine.Moonshine().open()


async def test_closing_and_opening_again_works() -> None:
    """A worker may close an engine that nobody uses."""
    engine = STT.create("moonshine")
    await engine.open()
    await engine.aclose()
    await engine.open()
    stream = await engine.stream(lambda _: None)
    assert (await stream.finish()).text == ""
    await engine.aclose()
