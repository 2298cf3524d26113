"""The commands. Each is a few lines: what it does lies in a file of its own."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from voicebackend.cli.call import place_call
from voicebackend.cli.demo import hold_demo
from voicebackend.cli.report import failed_report, write_json
from voicebackend.cli.scenarios import hold_scenarios
from voicebackend.cli.tables import fetch, providers_table, sessions_table
from voicebackend.cli.target import find_target
from voicebackend.cli.up import run_stack
from voicebackend.errors import VoiceBackendError
from voicebackend.settings import DEFAULT_PORT, Deployment

T = TypeVar("T")

app = typer.Typer(help="The backend that runs live voice agents.", no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
_errors = Console(stderr=True)

Url = Annotated[str | None, typer.Option(help="Where control is; a local 'voicebackend up' is found by itself.")]
Key = Annotated[str | None, typer.Option(help="A key that it accepts.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the report to this file.", dir_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command; an error of ours becomes one clear line and exit code 1."""
    logging.basicConfig(level=logging.ERROR)
    try:
        return asyncio.run(work)
    except VoiceBackendError as error:
        _errors.print(f"[red]error[/red] {error.code}: ", end="")
        _errors.print(error.message, markup=False)
        raise typer.Exit(1) from error


@app.command()
def demo(
    json_file: JsonFile = None,
    folder: Annotated[Path, typer.Option(help="Where report, recording and log go.", file_okay=False)] = Path("demo"),
) -> None:
    """Hold a spoken conversation through five real processes, and check every word of it."""
    folder.mkdir(parents=True, exist_ok=True)
    report = _run(hold_demo(folder, console))
    for path in {folder / "report.json", json_file or folder / "report.json"}:
        write_json(path, report)
    for check in report["checks"]:
        mark = "[green]✓[/green]" if check["ok"] else "[red]✗[/red]"
        console.print(f"{mark} {check['name']}: {check['found']}", highlight=False)
    console.print(f"[dim]{folder}/conversation.wav · {folder}/report.json · {folder}/stack.log[/dim]")
    _exit(report, wrong=not all(check["ok"] for check in report["checks"]))


@app.command()
def up(
    port: Annotated[int, typer.Option(help="TCP port of control.", min=1, max=65535)] = DEFAULT_PORT,
    config: Annotated[
        Path | None, typer.Option(help="A YAML file of the configuration.", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Run the whole development stack until Ctrl-C: Redis, control, worker, Celery worker and beat."""
    _run(run_stack(port, config, console))


@app.command()
def call(
    file: Annotated[Path, typer.Argument(help="16-bit PCM mono WAV, 8 to 48 kHz.")],
    url: Url = None,
    api_key: Key = None,
    agent: Annotated[str, typer.Option(help="The registered agent that answers.")] = "demo",
    json_file: JsonFile = None,
) -> None:
    """Play a file as a caller in real time, and listen until the agent has answered."""
    report = _run(_call(file, url, api_key, agent))
    if json_file:
        write_json(json_file, report)
    _exit(report)


async def _call(file: Path, url: str | None, api_key: str | None, agent: str) -> dict[str, Any]:
    try:
        target = find_target(url, api_key, Deployment.from_env().home)
        return await place_call(file, target, agent=agent, console=console)
    except VoiceBackendError as error:
        return failed_report(error)


@app.command("test")
def hold(
    paths: Annotated[list[Path], typer.Argument(help="Scenario files, and folders of them.", exists=True)],
    audio: Annotated[bool, typer.Option(help="With real offline engines instead of scripted ones.")] = False,
    jobs: Annotated[int, typer.Option(help="Processes side by side.", min=1, max=64)] = 1,
    json_file: JsonFile = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show everything that was seen.")] = False,
) -> None:
    """Hold the conversations that scenario files describe, in virtual time, and compare them with what they expect."""
    options = [*(["--audio"] if audio else []), *(["-v"] if verbose else []), "--jobs", str(jobs)]
    report = ["--json", str(json_file)] if json_file else []
    raise typer.Exit(_run(hold_scenarios([*options, *report, "--", *map(str, paths)])))


@app.command()
def sessions(url: Url = None, api_key: Key = None, as_json: AsJson = False) -> None:
    """List sessions, newest first."""
    found = _run(_fetch("sessions", url, api_key))
    _show(found, sessions_table(found), as_json=as_json)


@app.command()
def providers(url: Url = None, api_key: Key = None, as_json: AsJson = False) -> None:
    """List the providers that running workers have."""
    found = _run(_fetch("providers", url, api_key))
    _show(found, providers_table(found), as_json=as_json)


async def _fetch(resource: str, url: str | None, api_key: str | None) -> list[dict[str, Any]]:
    return await fetch(find_target(url, api_key, Deployment.from_env().home), resource)


def _show(found: list[dict[str, Any]], table: Table, *, as_json: bool) -> None:
    if as_json:
        console.print_json(json.dumps(found))
    else:
        console.print(table)


def _exit(report: dict[str, Any], *, wrong: bool = False) -> None:
    """End with 1 if something went wrong, having said what."""
    error = report["error"]
    if error:
        _errors.print(f"[red]error[/red] {error['code']}: ", end="")
        _errors.print(error["message"], markup=False)
    if error or wrong:
        raise typer.Exit(1)
