"""``voicebackend keys``: API keys made, listed, rotated and revoked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from voicebackend.api_keys import ALL, GRACE_S, MAX_GRACE_S, KeyIssued, KeyView
from voicebackend.cli.api import reached
from voicebackend.cli.console import AsJson, Key, Url, errors, run, show
from voicebackend.client.keys import KeyService

app = typer.Typer(help="API keys: made, listed, rotated, revoked.", no_args_is_help=True)
KeyId = Annotated[str, typer.Argument(help="As 'keys list' shows it.")]
Tenant = Annotated[str | None, typer.Option(help="Another tenant than the key's own; for operators.")]


@asynccontextmanager
async def keys(url: str | None, api_key: str | None) -> AsyncIterator[KeyService]:
    """Give the keys of the backend that the options mean."""
    async with reached(url, api_key) as api:
        yield KeyService(api)


@app.command()
def create(  # noqa: PLR0917 - each is an option of the command line
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[str] | None, typer.Option(help="E.g. sessions:write; several are possible.")] = None,
    tenant: Tenant = None,
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show it this once."""

    async def work() -> KeyIssued:
        async with keys(url, api_key) as found:
            return await found.create(name, scope or [ALL], tenant=tenant)

    _shown(run(work()), as_json=as_json)


@app.command("list")
def list_(tenant: Tenant = None, url: Url = None, api_key: Key = None, as_json: AsJson = False) -> None:
    """List the keys that open, oldest first."""

    async def work() -> list[KeyView]:
        async with keys(url, api_key) as found:
            return await found.all(tenant=tenant)

    listed = run(work())
    show([one.model_dump(mode="json") for one in listed], keys_table(listed), as_json=as_json)


@app.command()
def rotate(  # noqa: PLR0917 - as above
    key: KeyId,
    grace: Annotated[int, typer.Option(help="Seconds that the key opens more.", min=0, max=MAX_GRACE_S)] = GRACE_S,
    tenant: Tenant = None,
    url: Url = None,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a key in the place of one, and show it this once."""

    async def work() -> KeyIssued:
        async with keys(url, api_key) as found:
            return await found.rotate(key, grace_s=grace, tenant=tenant)

    _shown(run(work()), as_json=as_json)


@app.command()
def revoke(key: KeyId, tenant: Tenant = None, url: Url = None, api_key: Key = None) -> None:
    """Have a key open no more, from the next request on."""

    async def work() -> None:
        async with keys(url, api_key) as found:
            await found.revoke(key, tenant=tenant)

    run(work())


def _shown(issued: KeyIssued, *, as_json: bool) -> None:
    """Print the key alone on standard output, so that a script can take it from there."""
    if as_json:
        show(issued.model_dump(mode="json"), as_json=True)
        return
    errors.print(f"key {issued.id} of tenant {issued.tenant}; it is not shown again:", highlight=False)
    typer.echo(issued.key)


def keys_table(listed: Sequence[KeyView]) -> Table:
    """Return keys as a table."""
    table = Table("id", "name", "tenant", "scopes", "made", "opens until")
    for one in listed:
        table.add_row(one.id, one.name, one.tenant, " ".join(one.scopes), _day(one.created_at), _day(one.expires_at))
    return table


def _day(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).astimezone().strftime("%d %b %Y %H:%M")
