"""OpenAI Agents SDK: its ``Agent`` as an agent of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

from voicebackend.agents import Turn
from voicebackend.errors import AgentError
from voicebackend.frameworks.messages import messages_of, openai_messages
from voicebackend.frameworks.pieces import Pieces

if TYPE_CHECKING:
    from agents import Agent, RunConfig
    from agents.result import RunResultStreaming


class OpenAIAgent:
    """Runs an agent to its end, with its tools and handoffs, and yields the text that it makes on the way.

    Tools find the turn as ``context.context``, or what ``context`` makes of it. The SDK's traces, which hold what
    callers say, are sent nowhere unless ``run_config`` says so.
    """

    def __init__(
        self,
        agent: Agent[Any],
        *,
        context: Callable[[Turn], Any] | None = None,
        run_config: RunConfig | None = None,
    ) -> None:
        self._agent, self._context, self._run_config = agent, context or (lambda turn: turn), run_config

    def __repr__(self) -> str:
        return f"<OpenAIAgent {self._agent.name}>"

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield the answer as it is made; raises AgentError if it is no text."""
        from agents import RunConfig, Runner

        told: Any = openai_messages(messages_of(turn), turn.audio, text="input_text")
        config = self._run_config or RunConfig(tracing_disabled=True)
        run = Runner.run_streamed(self._agent, told, context=self._context(turn), run_config=config)
        pieces = Pieces()
        try:
            async for event in run.stream_events():
                if event.type != "raw_response_event" or event.data.type != "response.output_text.delta":
                    continue
                if said := pieces.of(event.data.item_id, event.data.delta):
                    yield said
            if not pieces.said and (output := run.final_output) is not None:
                yield _output(output)
        finally:
            await _end(run)


def _output(output: Any) -> str:
    if isinstance(output, str):
        return output
    raise AgentError("agent", f"the agent's output is {type(output).__name__}, not text: leave output_type out")


async def _end(run: RunResultStreaming) -> None:
    """Stop the run, and see that it has stopped."""
    run.cancel()
    if run.run_loop_task is not None:
        await asyncio.gather(run.run_loop_task, return_exceptions=True)
