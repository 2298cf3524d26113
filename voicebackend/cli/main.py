"""The commands. Each is a few lines: what it does lies in a file of its own."""

from __future__ import annotations

import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from voicebackend.cli import calls, keys, records, retention
from voicebackend.cli.call import place_call
from voicebackend.cli.checking import check_provider
from voicebackend.cli.console import AsJson, Key, Url, console, errors, run, show
from voicebackend.cli.demo import hold_demo
from voicebackend.cli.flower import run_flower
from voicebackend.cli.report import failed_report, write_json
from voicebackend.cli.scenarios import hold_scenarios
from voicebackend.cli.tables import checks_table, engines_table, fetch, providers_table, sessions_table
from voicebackend.cli.target import Target, find_target
from voicebackend.cli.up import run_stack
from voicebackend.errors import VoiceBackendError
from voicebackend.settings import DEFAULT_PORT, Deployment

app = typer.Typer(help="The backend that runs live voice agents.", no_args_is_help=True, pretty_exceptions_enable=False)
_providers = typer.Typer()
app.add_typer(_providers, name="providers")
app.add_typer(calls.app, name="calls")
app.add_typer(keys.app, name="keys")
app.add_typer(records.app, name="records")
app.add_typer(retention.app, name="retention")


class Page(StrEnum):
    """A page of control for people."""

    PLAYGROUND = "playground"
    CONSOLE = "console"


JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the report to this file.", dir_okay=False)]


@app.command()
def demo(
    json_file: JsonFile = None,
    folder: Annotated[Path, typer.Option(help="Where report, recording and log go.", file_okay=False)] = Path("demo"),
) -> None:
    """Hold a spoken conversation through five real processes, and check every word of it."""
    folder.mkdir(parents=True, exist_ok=True)
    report = run(hold_demo(folder, console))
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
    run(run_stack(port, config, console))


@app.command(name="open")
def open_(
    page: Annotated[Page, typer.Argument(help="playground: talk to an agent; console: watch.")] = Page.PLAYGROUND,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Open a page of control in the browser, with the key."""
    target = run(_target(url, api_key))
    address = f"{target.url}/{page}"
    if not webbrowser.open(f"{address}#{urlencode({'key': target.api_key})}"):
        console.print(f"there is no browser here: open {address}", highlight=False)


@app.command()
def flower(
    address: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port.", min=1, max=65535)] = 5555,
) -> None:
    """Show Celery's tasks and workers in a browser; FLOWER_BASIC_AUTH=name:password says who may come."""
    run(run_flower(address, port))


@app.command()
def call(
    file: Annotated[Path, typer.Argument(help="16-bit PCM mono WAV, 8 to 48 kHz.")],
    url: Url = None,
    api_key: Key = None,
    agent: Annotated[str, typer.Option(help="The registered agent that answers.")] = "demo",
    json_file: JsonFile = None,
) -> None:
    """Play a file as a caller in real time, and listen until the agent has answered."""
    report = run(_call(file, url, api_key, agent))
    if json_file:
        write_json(json_file, report)
    _exit(report)


async def _target(url: str | None, api_key: str | None) -> Target:
    return find_target(url, api_key, Deployment.from_env().home)


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
    raise typer.Exit(run(hold_scenarios([*options, *report, "--", *map(str, paths)])))


@app.command()
def sessions(url: Url = None, api_key: Key = None, as_json: AsJson = False) -> None:
    """List sessions, newest first."""
    found = run(_fetch("sessions", url, api_key))["sessions"]
    show(found, sessions_table(found), as_json=as_json)


@_providers.callback(invoke_without_command=True)
def providers(context: typer.Context, url: Url = None, api_key: Key = None, as_json: AsJson = False) -> None:
    """List the providers and engines that running workers have, or check one."""
    if context.invoked_subcommand is not None:
        return
    found = run(_fetch("providers", url, api_key))
    show(found, providers_table(found["providers"]), engines_table(found["engines"]), as_json=as_json)


@_providers.command()
def check(
    name: Annotated[str, typer.Argument(help="A provider or engine.")],
    config: Annotated[
        Path | None, typer.Option(help="A YAML file of the configuration.", exists=True, dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try the credentials of a provider or engine, as the configuration has them; starts nothing else."""
    found = run(check_provider(name, config))
    show(found, checks_table(found), as_json=as_json)
    if any(one["error"] for one in found):
        raise typer.Exit(1)


async def _fetch(resource: str, url: str | None, api_key: str | None) -> dict[str, Any]:
    return await fetch(find_target(url, api_key, Deployment.from_env().home), resource)


def _exit(report: dict[str, Any], *, wrong: bool = False) -> None:
    """End with 1 if something went wrong, having said what."""
    error = report["error"]
    if error:
        errors.print(f"[red]error[/red] {error['code']}: ", end="")
        errors.print(error["message"], markup=False)
    if error or wrong:
        raise typer.Exit(1)
