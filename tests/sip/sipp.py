"""The program sipp: found or installed, and run with a scenario of ours."""

from __future__ import annotations

import asyncio
import csv
import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import debian

PACKAGE = "sip-tester"
STOP_S = 5.0
HOST = "127.0.0.1"
_ERRORS, _STATISTICS = "sipp.errors", "sipp.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What sipp said of a run."""

    code: int
    """0 if every call went as the scenario has it, 1 if one did not."""
    succeeded: int
    failed: int
    repeated: int
    """Requests that it sent again."""
    errors: str
    """What did not go as expected; for a person."""


def program() -> str:
    """Return where sipp is; without one the test is skipped, or failed where peers are required."""
    return debian.program("sipp", PACKAGE)


async def run(
    document: str,
    *arguments: str,
    folder: Path,
    target: str,
    name: str,
    media_port: int,
    host: str = HOST,
    calls: int = 1,
    s: float = 120,
) -> Report:
    """Run a scenario against ``target`` (host:port) from a folder that has its captures, for ``s`` seconds at most.

    It calls from ``host``, an address of this machine.

    Calls have the ids ``<name>-1``, ``<name>-2``… All may be held at once; by default ten are begun each second.

    Raises:
        AssertionError: it was too slow.

    """
    (folder / f"{name}.xml").write_text(document, encoding="utf-8")
    load = ("-m", str(calls), "-l", str(calls), "-timeout", str(round(s)))
    process = await _started(folder, name, target, "-i", host, "-mi", host, "-mp", str(media_port), *load, *arguments)
    try:
        async with asyncio.timeout(s + STOP_S):
            code = await process.wait()
    except TimeoutError:
        raise AssertionError(f"sipp {name} did not end within {s} s:\n{_text(folder / _ERRORS)}") from None
    finally:
        await _stopped(process)
    last = _last(folder / _STATISTICS)
    return Report(
        code=code,
        succeeded=int(last.get("SuccessfulCall(C)", 0)),
        failed=int(last.get("FailedCall(C)", 0)),
        repeated=int(last.get("Retransmissions(C)", 0)),
        errors=_text(folder / _ERRORS)[-4000:],
    )


def tell(host: str, port: int, call_id: str) -> None:
    """Have a call go on that waits in the step ``HEARD``: sipp takes what has its Call-ID, whoever sends it."""
    here = f"{HOST}:5060"
    lines = [
        f"MESSAGE sip:caller@{host}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{secrets.token_hex(8)}",
        f"From: <sip:test@{here}>;tag=test",
        f"To: <sip:caller@{host}:{port}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 MESSAGE",
        "Max-Forwards: 70",
        "Content-Length: 0",
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto("\r\n".join([*lines, "", ""]).encode(), (host, port))


async def _started(folder: Path, name: str, target: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(program(), target, "-sf", f"{name}.xml", "-cid_str", f"{name}-%u", "-nostdin"),
        *("-recv_timeout", "60000", "-timeout_error"),
        *("-trace_err", "-error_file", _ERRORS, "-trace_stat", "-stf", _STATISTICS, "-fd", "1"),
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "TERM": "dumb"},
    )


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _last(statistics: Path) -> dict[str, str]:
    """Return the last line of sipp's statistics, by column."""
    lines = list(csv.DictReader(_text(statistics).splitlines(), delimiter=";"))
    return lines[-1] if lines else {}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
