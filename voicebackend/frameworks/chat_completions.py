"""An agent behind an OpenAI-compatible ``/chat/completions``, streamed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from voicebackend.agents import Turn
from voicebackend.errors import AgentError
from voicebackend.frameworks.endpoint import Endpoint, lines
from voicebackend.frameworks.messages import messages_of, openai_messages

_END = "[DONE]"


class ChatCompletions:
    """Asks a server that speaks OpenAI's chat completions: ``ChatCompletions("https://host/v1", model="…")``.

    ``api_key_env`` names the environment variable with its key. ``instructions`` come before the conversation;
    ``options`` are further fields of the request, ``{"temperature": 0.2}``. ``private`` allows a server in our own
    network, and one without TLS.

    Raises:
        InvalidConfig: the URL may not be asked, or the environment variable is not set.

    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        api_key_env: str = "",
        instructions: str = "",
        options: Mapping[str, Any] | None = None,
        private: bool = False,
    ) -> None:
        self._endpoint = Endpoint(f"{url.rstrip('/')}/chat/completions", secret_env=api_key_env, private=private)
        self._model, self._instructions, self._options = model, instructions, dict(options or {})

    def __repr__(self) -> str:
        return f"<ChatCompletions {self._model}>"

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield the answer as it comes; raises AgentError."""
        headers = {"Accept": "text/event-stream"}
        if self._endpoint.secret:
            headers["Authorization"] = f"Bearer {self._endpoint.secret}"
        async with (
            self._endpoint.asked(await asyncio.to_thread(self._body, turn), headers) as response,
            aclosing(lines(response)) as told,
        ):
            async for line in told:
                data = line.removeprefix("data:").strip()
                if not line.startswith("data:") or not data:
                    continue
                if data == _END:
                    return
                if text := _delta(data):
                    yield text

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        await self._endpoint.aclose()

    def _body(self, turn: Turn) -> bytes:
        told = openai_messages(messages_of(turn), turn.audio)
        first = [{"role": "system", "content": self._instructions}] if self._instructions else []
        body = {**self._options, "model": self._model, "messages": [*first, *told], "stream": True}
        return json.dumps(body).encode()


def _delta(data: str) -> str:
    """Return the text of one chunk; the last has none."""
    try:
        chunk = json.loads(data)
        if chunk.get("error"):
            raise AgentError("agent", "the agent's endpoint broke off with an error")
        choices = chunk.get("choices") or [{}]
        text = (choices[0].get("delta") or {}).get("content")
    except (ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
        raise AgentError("agent", "the agent's endpoint sent what is no chunk of a completion") from error
    return text if isinstance(text, str) else ""
