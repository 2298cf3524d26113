"""Sessions, providers and engines of a running backend, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from voicebackend.cli.target import Target
from voicebackend.client.http import HttpApi
from voicebackend.retry import RetryPolicy

TIMEOUT_S = 10.0


async def fetch(target: Target, resource: str) -> dict[str, Any]:
    """Return what the API answers for ``sessions`` (of the first page only) or ``providers``.

    Raises:
        VoiceBackendError: they cannot be had.

    """
    api = HttpApi(target.url, target.api_key, policy=RetryPolicy(max_retries=1, delay_s=0.2), timeout_s=TIMEOUT_S)
    await api.open()
    try:
        answer: dict[str, Any] = await api.send(resource, "GET", f"/v1/{resource}")
    finally:
        await api.aclose()
    return answer


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
    table = Table("provider", "transports", "pipelines", "agent", "health", "workers", "free slots")
    for provider in providers:
        capabilities = provider["capabilities"]
        table.add_row(
            provider["name"],
            ", ".join(capabilities.get("transports", ())),
            ", ".join(capabilities.get("pipelines", ())),
            "ours" if capabilities.get("uses_agent", True) else "its own",
            _state(provider),
            str(provider["workers"]),
            "unlimited" if provider["slots_free"] is None else str(provider["slots_free"]),
        )
    return table


def engines_table(engines: Sequence[dict[str, Any]]) -> Table:
    """Return engines as a table."""
    table = Table("role", "engine", "runs", "health", "workers")
    for engine in engines:
        runs = "at its vendor" if engine["capabilities"].get("remote") else "in the worker"
        table.add_row(engine["role"], engine["name"], runs, _state(engine), str(engine["workers"]))
    return table


def checks_table(checks: Sequence[dict[str, Any]]) -> Table:
    """Return what was tried as a table."""
    table = Table("role", "name", "result", Column("what to do", overflow="fold"))
    for check in checks:
        error = check["error"] or {"code": "ok", "message": "", "advice": ""}
        told = dict.fromkeys((error["message"], error["advice"]))  # where they are the same, once
        table.add_row(check["role"], check["name"], error["code"], Text("\n".join(told)))
    return table


def _state(found: dict[str, Any]) -> str | Text:
    """Return the health of what is installed, else the line that installs it."""
    if found["installed"]:
        return str(found["health"])
    return Text(found["install"] or "not installed")


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
