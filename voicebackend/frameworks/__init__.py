"""Agents of other frameworks, and what they need of the turn: one framework a file, imported when it is used.

Nothing here imports a framework at its top, nor anything of ours but contracts.
"""

from voicebackend.frameworks.adapt import adapted, is_framework_agent
from voicebackend.frameworks.chat_completions import ChatCompletions
from voicebackend.frameworks.langchain import LangChainAgent
from voicebackend.frameworks.messages import messages_of
from voicebackend.frameworks.openai_agents import OpenAIAgent
from voicebackend.frameworks.pydantic_ai import PydanticAIAgent
from voicebackend.frameworks.webhook import WebhookAgent

__all__ = [
    "ChatCompletions",
    "LangChainAgent",
    "OpenAIAgent",
    "PydanticAIAgent",
    "WebhookAgent",
    "adapted",
    "is_framework_agent",
    "messages_of",
]
