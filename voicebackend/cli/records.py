"""``voicebackend records``: what calls left, listed, fetched, and linked to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from voicebackend.cli.api import reached
from voicebackend.cli.console import AsJson, Key, Url, run, show
from voicebackend.cli.saving import save
from voicebackend.client.records import RecordService
from voicebackend.retention import LINK_S, MAX_LINK_S, LinkIssued, RecordView

app = typer.Typer(help="What calls left: transcripts, recordings and the like.", no_args_is_help=True)
RecordId = Annotated[str, typer.Argument(help="As 'records list' shows it.")]
_RANGE = re.compile(r"(\d{1,12})-(\d{0,12})")


@asynccontextmanager
async def records(url: str | None, api_key: str | None) -> AsyncIterator[RecordService]:
    """Give the records of the backend that the options mean."""
    async with reached(url, api_key) as api:
        yield RecordService(api)


@app.command("list")
def list_(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List what a session left and still has."""

    async def work() -> list[RecordView]:
        async with records(url, api_key) as found:
            return await found.of_session(session)

    listed = run(work())
    show([one.model_dump(mode="json") for one in listed], records_table(listed), as_json=as_json)


def _bytes(text: str) -> tuple[int, int | None]:
    """Return first and behind the last byte of ``FIRST-LAST``; the last may be left out."""
    found = _RANGE.fullmatch(text)
    if found is None or (found[2] and int(found[2]) < int(found[1])):
        message = "FIRST-LAST, or FIRST-"
        raise typer.BadParameter(message)
    return int(found[1]), int(found[2]) + 1 if found[2] else None


@app.command()
def fetch(
    record: RecordId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output without it.")] = None,
    range_: Annotated[str | None, typer.Option("--range", help="Only these bytes: FIRST-LAST, from 0.")] = None,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Fetch a record, or some of its bytes."""
    start, end = _bytes(range_) if range_ is not None else (0, None)

    async def work() -> int:
        async with records(url, api_key) as found:
            return await save(found.content(record, start=start, end=end), output)

    run(work())


@app.command()
def link(
    record: RecordId,
    expires_in: Annotated[int, typer.Option(help="Seconds.", min=1, max=MAX_LINK_S)] = LINK_S,
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Print a link that opens a record without a key, for a limited time."""

    async def work() -> LinkIssued:
        async with records(url, api_key) as found:
            return await found.link(record, expires_in=expires_in)

    issued = run(work())
    if as_json:
        show(issued.model_dump(mode="json"), as_json=True)
    else:
        typer.echo(issued.url)


def records_table(listed: Sequence[RecordView]) -> Table:
    """Return records as a table."""
    table = Table(Column("record", min_width=32), "class", "name", Column("bytes", justify="right"), "policy", "until")
    for one in listed:
        until = datetime.fromtimestamp(one.due, UTC).astimezone().strftime("%d %b %Y %H:%M")
        table.add_row(one.id, one.data_class, one.name, str(one.size), one.policy, until)
    return table
