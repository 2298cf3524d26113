"""The command line, from its own help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from generate.markdown import code, table
from voicebackend.cli.main import app


def page() -> str:
    """Return every command with its arguments and options."""
    return "\n".join(_commands(typer.main.get_command(app), "voicebackend"))


def _commands(command: Any, name: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if name != "voicebackend" and (not children or command.callback):
        yield _command(command, name)
    for child in children:
        yield from _commands(children[child], f"{name} {child}")


def _command(command: Any, name: str) -> str:
    shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    places = [one.name.upper() for one in shown if one.param_type_name == "argument"]
    rows = [(_name(one), one.help or "") for one in shown]
    help_ = " ".join((command.help or "").split())
    usage = " ".join([name, *places])
    return f"## `{name}`\n\n{help_}\n\n    {usage}\n\n" + (table(["", "what"], rows) if rows else "")


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return code(parameter.name.upper())
    return ", ".join(map(code, parameter.opts))
