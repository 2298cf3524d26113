"""Agents of each framework, on the framework's own fake model, which waits after its first words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from agents import Agent as OpenAIAgentObject
from agents.testing import ScriptedModel, assistant_message
from aiohttp import web
from aiohttp.test_utils import TestServer
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic_ai import Agent as PydanticAgentObject
from pydantic_ai.messages import ModelMessage, ModelRequest, SystemPromptPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from voicebackend.frameworks import ChatCompletions, WebhookAgent

FIRST, REST = "Good morning. ", "How are you?"


class Script:
    """What the model of a test says, and what happens to it."""

    def __init__(self) -> None:
        self.go_on, self.closed = asyncio.Event(), asyncio.Event()
        self.told: list[tuple[str, str]] = []
        """Role and text of what the model was told."""
        self.given = ""
        """All that the model was given, as its framework has it."""
        self.error: Exception | None = None
        """Raised in place of the rest."""

    async def words(self) -> AsyncIterator[str]:
        """Yield the first words, and the rest once the test says so; note that it was stopped before."""
        try:
            yield FIRST
            await self.go_on.wait()
            if self.error:
                raise self.error
            yield REST
        except (GeneratorExit, asyncio.CancelledError):
            self.closed.set()
            raise


class LangChainModel(GenericFakeChatModel):
    """LangChain's fake, with a script."""

    script: Any

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        roles = {"human": "user", "ai": "agent"}
        self.script.given = repr(messages)
        self.script.told = [(roles.get(said.type, said.type), str(said.text)) for said in messages]
        async for text in self.script.words():
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
            if run_manager:  # that is how a graph hears of it
                await run_manager.on_llm_new_token(text, chunk=chunk)
            yield chunk


class OpenAIModel(ScriptedModel):
    """The SDK's fake, whose text comes in two parts, with a script."""

    def __init__(self, script: Script) -> None:
        super().__init__([[assistant_message(FIRST + REST)]])
        self._script = script

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        given = kwargs.get("input", args[1] if len(args) > 1 else [])
        system = kwargs.get("system_instructions", args[0] if args else None)
        roles, self._script.given = {"assistant": "agent"}, repr(given)
        told = [(roles.get(str(item["role"]), str(item["role"])), str(item["content"])) for item in given]
        self._script.told = [("system", str(system)), *told] if system else told
        async for event in super().stream_response(*args, **kwargs):
            if event.type != "response.output_text.delta":
                yield event
                continue
            async for text in self._script.words():
                yield event.model_copy(update={"delta": text})


def langchain_model(script: Script) -> Any:
    """Return a chat model."""
    return LangChainModel(messages=iter(()), script=script)


def langgraph_graph(script: Script) -> Any:
    """Return a graph whose one node asks a chat model."""
    model = langchain_model(script)

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile()


def pydantic_agent(script: Script) -> Any:
    """Return an agent on a function."""

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        script.given = repr(messages)
        script.told = [("system", info.instructions)] if info.instructions else []
        script.told += [told for message in messages for told in _pydantic_told(message)]
        async for text in script.words():
            yield text

    return PydanticAgentObject(FunctionModel(stream_function=stream))


def _pydantic_told(message: ModelMessage) -> list[tuple[str, str]]:
    if isinstance(message, ModelRequest):
        kinds = {UserPromptPart: "user", SystemPromptPart: "system"}
        return [(kinds[type(part)], str(part.content)) for part in message.parts if type(part) in kinds]  # type: ignore[union-attr,index]
    return [("agent", message.text or "")]


def openai_agent(script: Script) -> Any:
    """Return an agent on a scripted model."""
    return OpenAIAgentObject(name="test", model=OpenAIModel(script))


FAKES: dict[str, Callable[[Script], Any]] = {
    "langchain": langchain_model,
    "langgraph": langgraph_graph,
    "pydantic-ai": pydantic_agent,
    "openai-agents": openai_agent,
}
"""An agent of each framework that is in this process."""
ENDPOINTS = ("chat-completions", "webhook")
"""Agents behind HTTP."""


@asynccontextmanager
async def fake_agent(kind: str, script: Script) -> AsyncIterator[Any]:
    """Give an agent of this kind; one behind HTTP has its server."""
    if kind in FAKES:
        yield FAKES[kind](script)
        return
    app = web.Application()
    app.router.add_post("/chat/completions", partial(_complete, script))
    app.router.add_post("/hook", partial(_hook, script))
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        agent: Any = ChatCompletions(url, model="test", private=True)
        if kind == "webhook":
            agent = WebhookAgent(f"{url}hook", private=True)
        try:
            yield agent
        finally:
            await agent.aclose()


async def _complete(script: Script, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    assert body["stream"] is True
    script.given = repr(body)
    script.told = [(message["role"].replace("assistant", "agent"), message["content"]) for message in body["messages"]]
    return await _stream(request, script, lambda text: _chunk(text).encode(), b"data: [DONE]\n\n")


def _chunk(text: str) -> str:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n"


async def _hook(script: Script, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    script.given = repr(body)
    said = [(entry["role"], entry["text"]) for entry in body["history"]]
    script.told = [*said, ("user", body["transcript"])]
    return await _stream(request, script, str.encode, b"")


async def _stream(
    request: web.Request, script: Script, encode: Callable[[str], bytes], end: bytes
) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        async for text in script.words():
            await response.write(encode(text))
        await response.write(end)
    except RuntimeError:  # the script's: the answer breaks off
        assert request.transport is not None
        request.transport.abort()
    return response
