"""Sessions and providers of a running backend, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Column, Table

from voicebackend.cli.target import Target
from voicebackend.client.http import HttpApi
from voicebackend.retry import RetryPolicy

TIMEOUT_S = 10.0


async def fetch(target: Target, resource: str) -> list[dict[str, Any]]:
    """Return ``sessions`` or ``providers`` as the API lists them, sessions of the first page only.

    Raises:
        VoiceBackendError: they cannot be had.

    """
    api = HttpApi(target.url, target.api_key, policy=RetryPolicy(max_retries=1, delay_s=0.2), timeout_s=TIMEOUT_S)
    await api.open()
    try:
        answer = await api.send(resource, "GET", f"/v1/{resource}")
    finally:
        await api.aclose()
    found: list[dict[str, Any]] = answer[resource]
    return found


def sessions_table(sessions: Sequence[dict[str, Any]]) -> Table:
    """Return sessions as a table, newest first."""
    table = Table(Column("session", min_width=32), "state", "user", "agent", "provider", "lane", "since", "reason")
    for session in sessions:
        since = datetime.fromtimestamp(session["created_at"], UTC).astimezone().strftime("%H:%M:%S")
        names = ("id", "state", "user_id", "agent", "provider", "lane")
        table.add_row(*(_cell(session.get(name)) for name in names), since, _cell(session.get("reason")))
    return table


def providers_table(providers: Sequence[dict[str, Any]]) -> Table:
    """Return providers as a table."""
    table = Table("provider", "transports", "pipelines", "agent", "workers", "free slots")
    for provider in providers:
        capabilities = provider["capabilities"]
        table.add_row(
            provider["name"],
            ", ".join(capabilities.get("transports", ())),
            ", ".join(capabilities.get("pipelines", ())),
            "ours" if capabilities.get("uses_agent", True) else "its own",
            str(provider["workers"]),
            "unlimited" if provider["slots_free"] is None else str(provider["slots_free"]),
        )
    return table


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
