"""Telephony files that change while calls are taken."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from control.telephony import live_switchboard
from control.telephony.live_switchboard import LiveSwitchboard
from voicebackend.errors import InvalidConfig

SECRET = "s3cret"


def routes(version: int) -> dict[str, Any]:
    """Return a table of this version."""
    targets = {"a": {"provider": "mock"}}
    return {"version": version, "targets": targets, "routes": [{"id": "all", "use": [{"to": [{"target": "a"}]}]}]}


def write(path: Path, data: Any) -> None:
    """Replace a file at once."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    fresh.rename(path)


def move(path: Path, to: Path) -> None:
    """Give a file another name."""
    path.rename(to)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a telephony file whose routes are in another."""
    write(tmp_path / "routes.yaml", routes(1))
    trunks = {"main": {"carrier": "twilio", "secret": SECRET}}
    write(tmp_path / "telephony.yaml", {"trunks": trunks, "routes": "routes.yaml"})
    return tmp_path / "telephony.yaml"


@pytest.fixture
async def board(path: Path) -> LiveSwitchboard:
    """Give the switchboard."""
    board = LiveSwitchboard(path, "https://voice.example.com")
    await board.open()
    return board


async def test_either_file_is_read_again_when_it_changes(board: LiveSwitchboard, path: Path) -> None:
    """And neither when none does; what a call has of the old one stays as it was."""
    before = board.current
    await board.look()
    assert board.current is before
    write(path.parent / "routes.yaml", routes(2))
    await board.look()
    assert board.current.routes.version.startswith("2-")
    assert before.routes.version.startswith("1-")
    trunks = {"other": {"carrier": "twilio", "secret": SECRET}}
    write(path, {"trunks": trunks, "routes": routes(3)})
    await board.look()
    assert (list(board.current.lines), board.current.routes.version[:2]) == (["other"], "3-")


@pytest.mark.parametrize(
    "bad",
    [
        "version: [",
        {**routes(2), "surprise": 1},
        {**routes(2), "routes": [{"id": "all", "use": [{"to": [{"target": "nobody"}]}]}]},
    ],
)
async def test_a_bad_file_leaves_the_old_table_and_is_told_of_once(
    board: LiveSwitchboard, path: Path, bad: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it changes again; no secret is told."""
    caplog.set_level(logging.ERROR)
    before = board.current
    write(path.parent / "routes.yaml", bad)
    for _ in range(3):
        await board.look()
    assert board.current is before
    assert board.problem
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text
    write(path.parent / "routes.yaml", routes(4))
    await board.look()
    assert (board.problem, board.current.routes.version[:2]) == ("", "4-")


def with_sip(path: Path, trunks: dict[str, Any], **sip: Any) -> None:
    """Write a file whose trunks are by SIP."""
    settings = {"listen": "udp:127.0.0.1:5060", **sip}
    write(path, {"sip": {**settings, "listen": [settings["listen"]]}, "trunks": trunks, "routes": routes(1)})


def trunk(network: str, **more: str) -> dict[str, Any]:
    """Return a trunk by SIP."""
    return {"carrier": "sip", "networks": [network], **more}


async def test_trunks_of_sip_come_change_and_go(path: Path) -> None:
    """Who follows the switchboard is told, as long as it does."""
    with_sip(path, {"one": trunk("192.0.2.1/32"), "two": trunk("192.0.2.2/32")})
    board = LiveSwitchboard(path, "https://voice.example.com")
    await board.open()
    told = list[Any]()
    with board.followed(told.append):
        with_sip(path, {"two": trunk("192.0.2.3/32", user="u", secret=SECRET), "three": trunk("192.0.2.4/32")})
        await board.look()
    assert told == [board.current]
    assert board.problem == ""
    assert board.current.sip is not None
    access = board.current.sip.access
    assert {name: str(one.networks[0]) for name, one in access.items()} == {
        "two": "192.0.2.3/32",
        "three": "192.0.2.4/32",
    }
    assert (access["two"].user, access["two"].secret) == ("u", SECRET)
    assert set(board.current.lines) == set(access)
    with_sip(path, {"one": trunk("192.0.2.1/32")})
    await board.look()
    assert len(told) == 1


async def test_sockets_of_sip_stay_as_they_were_opened(path: Path) -> None:
    """Other settings wait for the next start, and that is told; trunks do not."""
    with_sip(path, {"one": trunk("192.0.2.1/32")})
    board = LiveSwitchboard(path, "https://voice.example.com")
    await board.open()
    before = board.current.sip
    with_sip(path, {"two": trunk("192.0.2.2/32")}, listen="udp:127.0.0.1:5070")
    await board.look()
    assert "sip:" in board.problem
    assert before is not None
    assert board.current.sip is not None
    assert (board.current.sip.settings, list(board.current.sip.access)) == (before.settings, ["two"])
    write(path, {"trunks": {"main": {"carrier": "twilio", "secret": SECRET}}, "routes": routes(1)})
    await board.look()
    assert (board.current.sip.settings, list(board.current.sip.access)) == (before.settings, [])
    assert board.problem


async def test_a_section_sip_that_comes_later_opens_nothing(board: LiveSwitchboard, path: Path) -> None:
    """It says that a start is needed."""
    with_sip(path, {"one": trunk("192.0.2.1/32")})
    await board.look()
    assert board.current.sip is None
    assert "restart" in board.problem


async def test_a_file_that_goes_away_leaves_the_old_table(board: LiveSwitchboard, path: Path) -> None:
    """And its return is seen."""
    move(path, path.with_suffix(".gone"))
    await board.look()
    assert board.problem
    move(path.with_suffix(".gone"), path)
    await board.look()
    assert board.problem == ""


async def test_a_bad_file_at_the_start_is_an_error(path: Path) -> None:
    """There is nothing to go on with."""
    write(path, "trunks: [")
    with pytest.raises(InvalidConfig):
        await LiveSwitchboard(path, "https://voice.example.com").open()


async def test_a_signal_has_the_files_read_at_once(board: LiveSwitchboard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for the next look, and though they look the same."""
    monkeypatch.setattr(live_switchboard, "LOOK_S", 3600)
    before = board.current
    watching = asyncio.create_task(board.watch(), name="watch")
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGHUP)
    async with asyncio.timeout(10):
        while board.current is before:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
