"""The documentation says what the code has: generated pages leave nothing out, and every command in a page exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from generate import PAGES

from control.http.app import ALL_ROUTES
from voicebackend import telemetry
from voicebackend.cli.main import app
from voicebackend.config import BackendConfig
from voicebackend.errors import ErrorCode
from voicebackend.settings import Deployment
from voicebackend.streams import Kind

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_SHELL = re.compile(r"```(?:console|sh|bash|)\n(.*?)```|((?:^    .+\n)+)", re.MULTILINE | re.DOTALL)
_GENERATED = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
NAMES = {
    "backend_config": list(BackendConfig.model_fields),
    "deployment": list(Deployment().to_env()),
    "errors": [code.value for code in ErrorCode],
    "http_api": [f"{route.method} {route.path}" for route in ALL_ROUTES],
    "messages": [*(kind.name for kind in Kind), "audio_start", "resume", "dtmf", "4415"],
    "metrics": list(telemetry.LABELS),
    "peers": ["LiveKit Agents", "Pipecat"],
    "python_api": ["VoiceBackend", "VoiceSession", "Turn", "AuthHook", "MockVoiceBackend"],
    "redis_keys": ["vb:{lane:<lane>}:in", "vb:session:<session>:log", "vb:dead-letters", "vb:records:due"],
    "session_config": ["user_id", "transport", "agent_callback", "rag_config"],
    "command_line": ["voicebackend up", "voicebackend call", "voicebackend records fetch", "--api-key"],
}


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_leaves_nothing_out(name: str) -> None:
    """What the code has stands in its page, which some page of the documentation shows."""
    made = PAGES[name]()
    assert [one for one in NAMES[name] if one not in made] == []
    assert [page for page in DOCS if name in _GENERATED.findall(page.read_text(encoding="utf-8"))] != []


def test_a_page_asks_for_no_other_than_those() -> None:
    """A misspelt name would leave the page empty."""
    asked = {name for page in DOCS for name in _GENERATED.findall(page.read_text(encoding="utf-8"))}
    assert asked == set(PAGES)


def test_every_command_in_a_page_exists() -> None:
    """With the options that are written there."""
    lines = [(page, words) for page in DOCS for words in _commands(page) if words[0] == "voicebackend"]
    assert len(lines) >= 10
    assert [(page.name, " ".join(words)) for page, words in lines if not _is_known(words[1:])] == []


def test_every_make_target_in_a_page_exists() -> None:
    """They are what a newcomer types first."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = {words[1] for page in DOCS for words in _commands(page) if words[0] == "make" and len(words) > 1}
    assert "demo" in asked
    assert asked - targets == set()


def _commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command line in a page, without the variables before it."""
    for found in _SHELL.finditer(page.read_text(encoding="utf-8")):
        for line in (found[1] or found[2]).replace("\\\n", " ").splitlines():
            words = _words(line.strip().removeprefix("$ "))
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if words:
                yield words


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # not a command line
        return []


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def _is_known(words: list[str]) -> bool:
    command = _root()
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.split("=")[0] for word in words if word.startswith("-")} - {"--help"}
    return command is not _root() and asked <= options
