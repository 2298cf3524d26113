"""``prompt_template``: what a model is told of a turn, by LangChain's prompt templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from voicebackend.agents import Message
from voicebackend.errors import InvalidConfig
from voicebackend.frameworks.langchain import from_langchain, to_langchain

if TYPE_CHECKING:
    from langchain_core.prompts import BasePromptTemplate

VARIABLES = frozenset({"input", "history", "context", "user_id"})
METADATA = "metadata_"
"""A template may name these: the transcript, what was said, what was found, whose session; and ``metadata_<key>``."""


class PromptPart:
    """Fills a template, for each turn.

    A template that names ``input`` is all that the model is told. Any other is the instructions, and the conversation
    follows.

    Raises:
        InvalidConfig: it is no prompt template, or names what a turn does not have.

    """

    def __init__(self, template: BasePromptTemplate[Any]) -> None:
        names = getattr(template, "input_variables", None)
        if names is None or not hasattr(template, "aformat_prompt"):
            message = f"prompt_template: {type(template).__name__} is no prompt template of LangChain"
            raise InvalidConfig("config", message, details={"field": "prompt_template"})
        unknown = {name for name in names if name not in VARIABLES and not name.startswith(METADATA)}
        if unknown:
            known = ", ".join([*sorted(VARIABLES), f"{METADATA}…"])
            message = f"prompt_template: a turn has no {', '.join(sorted(unknown))}; it has {known}"
            raise InvalidConfig("config", message, details={"field": "prompt_template"})
        self._names = names
        self._template, self._whole = template, "input" in names

    async def messages(self, values: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return what the model is told, ``{"role", "text"}`` each; ``history`` in the values has the same form.

        ``metadata`` in the values is the session's; what a template names and it does not have is empty.
        """
        metadata = values["metadata"]
        own = {name: metadata.get(name.removeprefix(METADATA), "") for name in self._names if name.startswith(METADATA)}
        history = [Message(role=said["role"], text=said["text"]) for said in values["history"]]
        filled = await self._template.aformat_prompt(**{**values, **own, "history": to_langchain(history)})
        messages = [{"role": told.role, "text": told.text} for told in from_langchain(filled.to_messages())]
        if self._whole:
            return messages
        told = [{**message, "role": "system"} for message in messages] if _is_text(filled) else messages
        return [*told, *values["history"], {"role": "user", "text": values["input"]}]


def _is_text(filled: Any) -> bool:
    """Tell whether a template makes one text, not messages."""
    from langchain_core.prompt_values import StringPromptValue

    return isinstance(filled, StringPromptValue)
