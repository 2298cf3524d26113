"""``voicebackend retention``: erase or export a person, place and release holds, read who did what."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from voicebackend.cli.console import AsJson, Key, Url, console, run, show
from voicebackend.cli.records import records
from voicebackend.cli.saving import save
from voicebackend.client.records import RecordService
from voicebackend.retention import AuditPage, ErasureView, HoldPlaced, HoldView, ReceiptPage

NOT_DONE = 3
"""Exit code of an erasure that was waited for and is not whole yet."""
_POLL_S = 0.5
app = typer.Typer(help="Persons erased and exported, legal holds, and the audit.", no_args_is_help=True)
Subject = Annotated[
    str, typer.Argument(help="A user id or a number as +14155550123; '-' reads it from standard input.")
]
Region = Annotated[
    str | None, typer.Option(help="The subject is a telephone number without '+', dialled in this region: US, DE, ...")
]
Wait = Annotated[float, typer.Option(help="Seconds to wait for its end; exit code 3 if it is not done by then.", min=0)]


@app.command()
def erase(
    subject: Subject,
    *,
    wait: Wait = 0,
    region: Region = None,
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Erase everything about a person."""

    async def work() -> ErasureView:
        async with records(url, api_key) as found:
            asked = await found.erase(_named(subject), region=region)
            return await _ended(found, asked, wait) if wait else asked

    _show_erasure(run(work()), wait, as_json=as_json)


@app.command()
def erasure(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As 'erase' told it.")],
    wait: Wait = 0,
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show how far an erasure has come."""

    async def work() -> ErasureView:
        async with records(url, api_key) as found:
            return await _ended(found, await found.erasure(id_), wait)

    _show_erasure(run(work()), wait, as_json=as_json)


@app.command()
def receipts(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As 'erase' told it.")],
    *,
    cursor: Annotated[str, typer.Option(help="From the page before.")] = "",
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show the receipts of what an erasure deleted, oldest first."""

    async def work() -> ReceiptPage:
        async with records(url, api_key) as found:
            return await found.receipts(id_, cursor)

    page = run(work())
    show(page.model_dump(mode="json"), receipts_table(page), as_json=as_json)
    if page.cursor and not as_json:
        console.print(f"more: --cursor {page.cursor}", highlight=False)


@app.command()
def export(
    subject: Subject,
    output: Annotated[Path, typer.Option("--output", "-o", help="The zip that is written.")],
    *,
    region: Region = None,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Write a zip of everything that is kept about a person."""

    async def work() -> int:
        async with records(url, api_key) as found:
            return await save(found.export(_named(subject), region=region), output)

    size = run(work())
    console.print(f"{output}: {size:,} bytes", highlight=False)


@app.command()
def hold(
    *,
    reason: Annotated[str, typer.Option(help="Why: a case, a claim.")],
    session: Annotated[str | None, typer.Option(help="Keep this session's records.")] = None,
    subject: Annotated[str | None, typer.Option(help="Keep a person's; '-' reads it from standard input.")] = None,
    region: Region = None,
    everything: Annotated[bool, typer.Option("--everything", help="Keep all of the tenant's.")] = False,
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Keep records until the hold is released, whatever their time: a session's, a person's or all."""
    if (session is not None) + (subject is not None) + everything != 1:
        message = "exactly one of --session, --subject, --everything"
        raise typer.BadParameter(message)

    async def work() -> HoldPlaced:
        whom = None if subject is None else _named(subject)
        async with records(url, api_key) as found:
            return await found.hold(reason, session=session, subject=whom, region=region, everything=everything)

    placed = run(work())
    show(placed.model_dump(mode="json"), holds_table([placed]), as_json=as_json)
    if not as_json:
        console.print(f"{placed.held} held, {placed.too_late} too late", highlight=False)


@app.command()
def holds(url: Url = None, api_key: Key = None, as_json: AsJson = False) -> None:
    """List the holds in force, oldest first."""

    async def work() -> list[HoldView]:
        async with records(url, api_key) as found:
            return await found.holds()

    listed = run(work())
    show([one.model_dump(mode="json") for one in listed], holds_table(listed), as_json=as_json)


@app.command()
def release(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As 'holds' lists it.")],
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Lift a hold: what no other covers is deleted when it is due."""

    async def work() -> None:
        async with records(url, api_key) as found:
            await found.release(id_)

    run(work())


@app.command()
def audit(
    cursor: Annotated[str, typer.Option(help="From the page before.")] = "",
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show who read, linked, exported, held or erased what, newest first."""

    async def work() -> AuditPage:
        async with records(url, api_key) as found:
            return await found.audit(cursor)

    page = run(work())
    show(page.model_dump(mode="json"), audit_table(page), as_json=as_json)
    if page.cursor and not as_json:
        console.print(f"more: --cursor {page.cursor}", highlight=False)


def _named(subject: str) -> str:
    """Return who is meant; from standard input no other user of this machine sees it."""
    return sys.stdin.readline().rstrip("\n") if subject == "-" else subject


async def _ended(found: RecordService, asked: ErasureView, wait_s: float) -> ErasureView:
    """Return an erasure once it is done or only a hold keeps it from that, or as it is when time is up."""
    until = time.monotonic() + wait_s
    while asked.state not in {"done", "partial"} and time.monotonic() < until:
        await asyncio.sleep(_POLL_S)
        asked = await found.erasure(asked.id)
    return asked


def _show_erasure(found: ErasureView, wait_s: float, *, as_json: bool) -> None:
    tables = [erasures_table(found)] + ([others_table(found)] if found.sub_processors else [])
    show(found.model_dump(mode="json"), *tables, as_json=as_json)
    if wait_s and found.state != "done":
        raise typer.Exit(NOT_DONE)


def erasures_table(found: ErasureView) -> Table:
    """Return an erasure as a table."""
    table = Table(Column("erasure", min_width=32), "state", "asked", "sessions", "live", "left", "held", "done")
    counts = (str(count) for count in (found.sessions, found.live, found.left, found.held))
    table.add_row(found.id, found.state, _clock(found.at), *counts, _clock(found.done_at))
    return table


def others_table(found: ErasureView) -> Table:
    """Return whom else to ask as a table."""
    folded = [Column(name, overflow="fold") for name in ("ask", "to", "calls")]
    table = Table(*folded, "sessions from", "until")
    for one in found.sub_processors:
        table.add_row(one.name, one.ask, "\n".join(one.calls), _clock(one.first), _clock(one.last))
    return table


def holds_table(listed: Sequence[HoldView]) -> Table:
    """Return holds as a table."""
    table = Table(Column("hold", min_width=16), "scope", "reason", "by", "since")
    for one in listed:
        table.add_row(one.id, one.scope, one.reason, one.by, _clock(one.at))
    return table


def receipts_table(page: ReceiptPage) -> Table:
    """Return receipts as a table."""
    table = Table("number", "deleted", "class", "bytes", "policy", Column("receipt", overflow="fold"))
    for one in page.receipts:
        table.add_row(str(one.number), _clock(one.at), one.data_class, str(one.size), one.policy, one.hash)
    return table


def audit_table(page: AuditPage) -> Table:
    """Return deeds as a table."""
    table = Table("at", "by", "action", Column("about", overflow="fold"))
    for one in page.entries:
        table.add_row(_clock(one.at), one.by, one.action, one.about)
    return table


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%d %b %Y %H:%M:%S") if at else ""
