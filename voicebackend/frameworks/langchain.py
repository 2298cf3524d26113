"""LangChain: a chat model, a chain, or a graph of LangGraph as an agent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from voicebackend.agents import Message, Turn
from voicebackend.errors import AgentError
from voicebackend.frameworks.messages import caller_at, messages_of
from voicebackend.frameworks.pieces import Pieces

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig


class LangChainAgent:
    """Asks a runnable, and yields what it streams.

    A chat model, and a chain that begins with one, is given the messages; a graph ``{"messages": [...]}``; any other
    chain ``{"input", "history", "context", "messages", "user_id", "metadata"}``. A turn's audio is a content block of
    the caller's message. Tools find the turn in ``config["configurable"]["turn"]``.
    """

    def __init__(self, runnable: Runnable[Any, Any]) -> None:
        self._runnable = runnable
        self._is_graph = hasattr(runnable, "stream_mode")

    def __repr__(self) -> str:
        return f"<LangChainAgent {type(self._runnable).__name__}>"

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield the answer as it is made; raises AgentError where a chain gives what is no text."""
        options: dict[str, Any] = {"stream_mode": "messages"} if self._is_graph else {}
        stream = self._runnable.astream(self._input(turn), _config(turn), **options)
        pieces = Pieces()
        async with aclosing(cast("AsyncGenerator[Any, None]", stream)) as chunks:
            async for chunk in chunks:
                part, text = _text_of(chunk[0] if self._is_graph else chunk)
                if said := pieces.of(part, text):
                    yield said

    def _input(self, turn: Turn) -> Any:
        messages = to_langchain(messages_of(turn), turn.audio)
        if self._is_graph:
            return {"messages": messages}
        return messages if _takes_messages(self._runnable) else variables(turn, messages)


def variables(turn: Turn, messages: Sequence[BaseMessage]) -> dict[str, Any]:
    """Return what a chain or a prompt template may name."""
    history = [Message(role=entry.role, text=entry.text) for entry in turn.history]
    return {
        "input": turn.transcript,
        "history": to_langchain(history),
        "context": "\n\n".join(turn.context),
        "messages": list(messages),
        "user_id": turn.user_id,
        "metadata": dict(turn.metadata),
    }


def to_langchain(messages: Sequence[Message], audio: bytes = b"") -> list[BaseMessage]:
    """Return messages as LangChain has them; a turn's WAV file goes with the caller's latest words."""
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    kinds = {"system": SystemMessage, "user": HumanMessage, "agent": AIMessage}
    told: list[BaseMessage] = [kinds[message.role](message.text) for message in messages]
    if audio and (place := caller_at(messages)) >= 0:
        told[place] = _spoken(messages[place].text, audio)
    return told


def _spoken(text: str, audio: bytes) -> BaseMessage:
    """Return what the caller said, in words and as it sounded."""
    from langchain_core.messages import HumanMessage
    from langchain_core.messages.content import create_audio_block, create_text_block

    sound = create_audio_block(base64=b64encode(audio).decode(), mime_type="audio/wav")
    return HumanMessage(content_blocks=[create_text_block(text), sound])


def from_langchain(messages: Sequence[BaseMessage]) -> list[Message]:
    """Return LangChain's messages as ours: their text, without what tools said."""
    roles = {"system": "system", "human": "user", "ai": "agent"}
    return [
        Message(role=cast("Any", roles[message.type]), text=str(message.text))
        for message in messages
        if message.type in roles and message.text
    ]


def _takes_messages(runnable: Any) -> bool:
    """Tell whether a runnable is a model, or a chain that begins with one, whatever is bound to it."""
    from langchain_core.language_models import BaseLanguageModel

    while not isinstance(runnable, BaseLanguageModel):
        inner = (
            getattr(runnable, "first", None) or getattr(runnable, "bound", None) or getattr(runnable, "runnable", None)
        )
        if inner is None:
            return False
        runnable = inner
    return True


def _config(turn: Turn) -> RunnableConfig:
    """Return a run's configuration; a graph with a checkpointer begins afresh, for the history is what was heard."""
    run = f"{turn.session_id}:{turn.number}:{turn.attempt}"
    about = {"session_id": turn.session_id, "turn": turn.number, "attempt": turn.attempt}
    return {"configurable": {"turn": turn, "thread_id": run, "session_id": turn.session_id}, "metadata": about}


def _text_of(chunk: Any) -> tuple[object, str]:
    """Return which message a chunk belongs to, and its text; of what is no model's, nothing."""
    from langchain_core.messages import AIMessage, BaseMessage

    if isinstance(chunk, str):
        return "text", chunk
    if isinstance(chunk, AIMessage):
        return chunk.id, str(chunk.text)
    if isinstance(chunk, BaseMessage):
        return None, ""
    message = f"the chain gave {type(chunk).__name__}, not text: let it end with a model or a StrOutputParser"
    raise AgentError("agent", message)
