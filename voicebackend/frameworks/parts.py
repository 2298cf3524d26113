"""The fields of a configuration that hold objects of LangChain, and what each is asked through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voicebackend._importer import load
from voicebackend.errors import InvalidConfig
from voicebackend.frameworks.chat_model import ChatModelPart
from voicebackend.frameworks.memory import MemoryPart
from voicebackend.frameworks.multimodal import MultimodalPart
from voicebackend.frameworks.orchestrator import OrchestratorPart
from voicebackend.frameworks.prompt import PromptPart
from voicebackend.frameworks.retrieval import EmbedderPart, RetrieverPart, VectorStorePart

PARTS: Mapping[str, Callable[[Any], Any]] = {
    "chat_model": ChatModelPart,
    "multimodal_model": MultimodalPart,
    "memory": MemoryPart,
    "retriever": RetrieverPart,
    "vector_store": VectorStorePart,
    "embedder": EmbedderPart,
    "prompt_template": PromptPart,
    "orchestrator": OrchestratorPart,
}
"""By field, what makes a part of its object. Its methods take and return plain data: it may be in another process."""

EXTRAS = {"langchain_core": "langchain", "pydantic_ai": "pydantic-ai", "agents": "openai-agents"}
"""By package, the extra that installs it."""


def part_of(field: str, target: Any) -> Any:
    """Return the part of a field's object, or of what ``"module:attr"`` names.

    Raises:
        InvalidConfig: there is no such object, or it is of the wrong kind, or its framework is not installed.

    """
    try:
        return PARTS[field](load(target, field=field))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        line = f'pip install "voicebackend[{extra}]"'
        message = f"{field}: {error.name} is not installed: {line}"
        raise InvalidConfig("config", message, details={"field": field, "install": line}) from error
