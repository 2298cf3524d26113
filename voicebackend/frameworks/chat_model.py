"""``chat_model``: the agent of sessions that name none."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from voicebackend.agents import Turn
from voicebackend.errors import InvalidConfig
from voicebackend.frameworks.adapt import adapted


class ChatModelPart:
    """Asks a chat model of LangChain, or anything else that ``adapted`` makes an agent which streams.

    Raises:
        InvalidConfig: it is none.

    """

    def __init__(self, model: Any, *, field: str = "chat_model") -> None:
        self._agent = adapted(model)
        if not inspect.isasyncgenfunction(type(self._agent).__call__):
            message = f"{field}: {type(model).__name__} is no model; register a function with @agent, and name it"
            raise InvalidConfig("config", message, details={"field": field})

    async def reply(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield the answer as it is made."""
        async with aclosing(self._agent(turn)) as texts:
            async for text in texts:
                yield text

    __call__ = reply
