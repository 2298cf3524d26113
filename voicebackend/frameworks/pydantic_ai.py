"""Pydantic AI: its ``Agent`` as an agent of ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from voicebackend.agents import Message, Turn
from voicebackend.errors import AgentError, InvalidConfig
from voicebackend.frameworks.messages import messages_of
from voicebackend.frameworks.pieces import Pieces

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage, UserContent


class PydanticAIAgent:
    """Runs an agent to its end, its tools included, and yields the text that it makes on the way.

    ``deps`` makes an agent's dependencies of the turn; without it they are the turn itself.

    Raises:
        InvalidConfig: the agent has dependencies of a type of its own, and nothing makes them.

    """

    def __init__(self, agent: Agent[Any, Any], *, deps: Callable[[Turn], Any] | None = None) -> None:
        if deps is None and agent.deps_type not in {type(None), object, Any, Turn}:
            message = f"agent: it depends on {agent.deps_type!r}: give PydanticAIAgent(agent, deps=…) that makes one"
            raise InvalidConfig("agent", message, details={"field": "agent"})
        self._agent, self._deps = agent, deps or (lambda turn: turn)

    def __repr__(self) -> str:
        return f"<PydanticAIAgent {self._agent.name or ''}>"

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield the answer as it is made; raises AgentError if it is no text."""
        from pydantic_ai import AgentRunResultEvent
        from pydantic_ai.capabilities import ReinjectSystemPrompt
        from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

        *before, last = messages_of(turn)
        told = [message.text for message in before if message.role == "system"]
        run = self._agent.run_stream_events(
            _prompt(last, turn.audio),
            message_history=_history(before),
            instructions=told or None,
            deps=self._deps(turn),
            capabilities=[ReinjectSystemPrompt()],  # it would have its own only where nothing was said before
        )
        pieces, part, said = Pieces(), 0, ""
        async with run as events:
            async for event in events:
                match event:
                    case PartStartEvent(part=TextPart(content=text)):
                        part += 1
                        said = pieces.of(part, text)
                    case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                        said = pieces.of(part, text)
                    case AgentRunResultEvent(result=result) if not pieces.said:
                        said = _output(result.output)
                    case _:
                        said = ""
                if said:
                    yield said


def _prompt(message: Message, audio: bytes) -> str | list[UserContent]:
    """Return what the caller said, in words and, where a model hears, as it sounded."""
    from pydantic_ai.messages import BinaryContent

    return [message.text, BinaryContent(audio, media_type="audio/wav")] if audio else message.text


def _output(output: Any) -> str:
    if isinstance(output, str):
        return output
    raise AgentError("agent", f"the agent's output is {type(output).__name__}, not text: let its output_type be str")


def _history(messages: Sequence[Message]) -> list[ModelMessage]:
    """Return what was said, as Pydantic AI has it."""
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart

    return [
        ModelRequest(parts=[UserPromptPart(message.text)])
        if message.role == "user"
        else ModelResponse(parts=[TextPart(message.text)])
        for message in messages
        if message.role != "system"
    ]
