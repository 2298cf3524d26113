"""``voicebackend calls``: telephone calls that a running backend makes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from voicebackend.calls import CallRequest, CallView
from voicebackend.cli.api import reached
from voicebackend.cli.console import AsJson, Key, Url, run, show
from voicebackend.client.calls import CallService
from voicebackend.config import parse

app = typer.Typer(help="Telephone calls that the backend makes.")
Number = Annotated[str, typer.Argument(help="In international form: +14155550123.")]
CallId = Annotated[str, typer.Argument(help="As 'calls' lists it.")]


@asynccontextmanager
async def service(url: str | None, api_key: str | None) -> AsyncIterator[CallService]:
    """Give the calls of the backend that the options mean."""
    async with reached(url, api_key) as api:
        yield CallService(api)


@app.callback(invoke_without_command=True)
def calls(context: typer.Context, url: Url = None, api_key: Key = None, as_json: AsJson = False) -> None:
    """List calls, newest first; or make one, read one, call one off."""
    if context.invoked_subcommand is not None:
        return

    async def work() -> list[CallView]:
        async with service(url, api_key) as found:
            return (await found.page()).calls

    listed = run(work())
    show([_plain(call) for call in listed], calls_table(listed), as_json=as_json)


@app.command()
def make(
    to: Number,
    *,
    agent: Annotated[str | None, typer.Option(help="The registered agent that speaks.")] = None,
    trunk: Annotated[str | None, typer.Option(help="The trunk, where there are several.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="One of the trunk's caller ids.")] = None,
    at: Annotated[str | None, typer.Option(help="When: 2026-12-01T09:00:00+01:00. Now without it.")] = None,
    any_hour: Annotated[bool, typer.Option("--any-hour", help="Not only from 8 to 21 h where the number is.")] = False,
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Have a number called."""
    asked: dict[str, Any] = {"to": to, "agent": agent, "trunk": trunk, "from": from_, "at": at}
    if any_hour:
        asked["windows"] = [{"zone": "UTC", "from": "00:00", "until": "00:00"}]

    async def work() -> CallView:
        request = parse(CallRequest, {name: value for name, value in asked.items() if value is not None}, op="calls")
        async with service(url, api_key) as found:
            return await found.create(request)

    _show_one(run(work()), as_json=as_json)


@app.command("show")
def show_(call: CallId, url: Url = None, api_key: Key = None, as_json: AsJson = False) -> None:
    """Show a call with its attempts."""

    async def work() -> CallView:
        async with service(url, api_key) as found:
            return await found.get(call)

    _show_one(run(work()), as_json=as_json)


@app.command()
def cancel(call: CallId, url: Url = None, api_key: Key = None) -> None:
    """Call a call off, also while it lasts."""

    async def work() -> None:
        async with service(url, api_key) as found:
            await found.cancel(call)

    run(work())


@app.command()
def block(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Put a number on the do-not-call list."""

    async def work() -> None:
        async with service(url, api_key) as found:
            await found.do_not_call(number, reason)

    run(work())


@app.command()
def unblock(number: Number, url: Url = None, api_key: Key = None) -> None:
    """Take a number off the do-not-call list."""

    async def work() -> None:
        async with service(url, api_key) as found:
            await found.allow_calls(number)

    run(work())


def calls_table(listed: Sequence[CallView]) -> Table:
    """Return calls as a table."""
    table = Table(Column("call", min_width=32), "state", "to", "trunk", "attempts", "due", "reason")
    for call in listed:
        due = _clock(call.due_at)
        table.add_row(call.id, str(call.state), call.to, call.trunk, str(len(call.attempts)), due, call.reason or "")
    return table


def attempts_table(call: CallView) -> Table:
    """Return the attempts of a call as a table."""
    table = Table("attempt", "at", "rang", "answered", "ended", "outcome", "session")
    for one in call.attempts:
        times = (_clock(at) for at in (one.at, one.ringing_at, one.answered_at, one.ended_at))
        table.add_row(str(one.number), *times, str(one.outcome or ""), one.session)
    return table


def _show_one(call: CallView, *, as_json: bool) -> None:
    tables = [calls_table([call])] + ([attempts_table(call)] if call.attempts else [])
    show(_plain(call), *tables, as_json=as_json)


def _plain(call: CallView) -> dict[str, Any]:
    return call.model_dump(mode="json")


def _clock(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).astimezone().strftime("%d %b %H:%M:%S")
