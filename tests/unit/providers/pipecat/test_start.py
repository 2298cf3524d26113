"""Where a started session is reached."""

from __future__ import annotations

import pytest

from providers.pipecat.start import started
from voicebackend.errors import InvalidFormat


@pytest.mark.parametrize(
    ("start_url", "answered", "reached"),
    [
        ("http://localhost:7860/start", "ws://localhost:7860/ws-client", "ws://localhost:7860/ws-client"),
        ("http://10.0.0.5:7860/start", "wss://10.0.0.5:7860/ws-client", "ws://10.0.0.5:7860/ws-client"),
        ("http://10.0.0.5:7860/start", "wss://0.0.0.0:7860/ws-client", "ws://10.0.0.5:7860/ws-client"),
        ("http://[fd00::5]:7860/start", "wss://[::]:7860/ws-client", "ws://[fd00::5]:7860/ws-client"),
        ("https://bots.example/start", "wss://0.0.0.0:7860/ws", "wss://bots.example:7860/ws"),
        ("http://10.0.0.5:80/start", "wss://media.example/ws?a=1", "wss://media.example/ws?a=1"),
        ("http://10.0.0.5:7860/start", "wss://10.0.0.5:7861/ws", "wss://10.0.0.5:7861/ws"),
        ("https://localhost/start", "ws://localhost:7860/ws", "ws://localhost:7860/ws"),
    ],
)
def test_a_runners_address_is_put_right(start_url: str, answered: str, reached: str) -> None:
    """It says ``wss`` where it speaks plainly, and the address that it listens on."""
    found = started({"wsUrl": answered, "token": "t"}, start_url)
    assert (found.url, found.token) == (reached, "t")


@pytest.mark.parametrize("answer", [None, [], {}, {"wsUrl": 5}, {"wsUrl": "http://a/b"}, {"dailyRoom": "https://a"}])
def test_an_answer_without_a_websocket_is_none(answer: object) -> None:
    """The bot was started for another transport."""
    with pytest.raises(InvalidFormat):
        started(answer, "http://a/start")


def test_a_token_does_not_travel_in_the_open() -> None:
    """Not where the start did not."""
    with pytest.raises(InvalidFormat):
        started({"wsUrl": "ws://bots.example/ws", "token": "t"}, "https://bots.example/start")


def test_neither_address_nor_token_is_shown() -> None:
    """Whoever has them has the call."""
    found = started({"wsUrl": "wss://bots.example/secret-path", "token": "secret-token"}, "https://bots.example/start")
    assert "secret" not in repr(found)
    assert started({"wsUrl": "wss://bots.example/ws"}, "https://bots.example/start").token is None
