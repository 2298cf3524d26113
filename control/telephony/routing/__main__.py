"""Look at a routing table: ``python -m control.telephony.routing check FILE``, ``... explain FILE --called NUMBER``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from control.telephony.routing.decision import Call
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import RoutingTable
from voicebackend.errors import InvalidConfig

app = typer.Typer(help="Where telephone calls go.", no_args_is_help=True, pretty_exceptions_enable=False)
File = Annotated[Path, typer.Argument(help="The routing table, YAML or JSON.")]


def _snapshot(path: Path) -> Snapshot:
    try:
        return Snapshot(RoutingTable.from_file(path))
    except InvalidConfig as error:
        typer.echo(f"error {error.code}: {error.message}", err=True)
        raise typer.Exit(1) from error


@app.command()
def check(path: File) -> None:
    """Say whether a table is good, and its version."""
    typer.echo(_snapshot(path).version)


@app.command()
def explain(
    path: File,
    *,
    called: Annotated[str, typer.Option(help="The number that was dialled.")],
    caller: Annotated[str, typer.Option(help="The number of who calls; empty if withheld.")] = "",
    tenant: Annotated[str, typer.Option()] = "default",
    trunk: Annotated[str, typer.Option()] = "",
    header: Annotated[list[str] | None, typer.Option(help="name=value; may be given more than once.")] = None,
    call_id: Annotated[str, typer.Option(help="Decides between targets that share calls.")] = "explained",
    at: Annotated[datetime | None, typer.Option(help="When, UTC; now if not given.")] = None,
) -> None:
    """Say where a call would go, and why."""
    pairs = (text.partition("=") for text in header or ())
    headers = {name.lower(): value for name, _, value in pairs}
    call = Call(id=call_id, called=called, caller=caller, tenant=tenant, trunk=trunk, headers=headers)
    when = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    typer.echo(json.dumps(_snapshot(path).decide(call, when=when, explain=True).to_dict(), indent=1))


if __name__ == "__main__":
    app()
