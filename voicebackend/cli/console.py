"""What the commands share: options, one way to run, one way to show, and one line for an error."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from voicebackend.errors import VoiceBackendError

T = TypeVar("T")
Url = Annotated[str | None, typer.Option(help="Where control is; a local 'voicebackend up' is found by itself.")]
Key = Annotated[str | None, typer.Option(help="A key that it accepts.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
console = Console()
errors = Console(stderr=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command; an error of ours becomes one clear line and exit code 1."""
    logging.basicConfig(level=logging.ERROR)
    try:
        return asyncio.run(work)
    except VoiceBackendError as error:
        errors.print(f"[red]error[/red] {error.code}: ", end="")
        errors.print(error.message, markup=False)
        raise typer.Exit(1) from error


def show(found: Any, *tables: Table, as_json: bool) -> None:
    """Print JSON for programs, or tables for people."""
    if as_json:
        console.print_json(json.dumps(found))
    else:
        console.print(*tables, sep="\n")
