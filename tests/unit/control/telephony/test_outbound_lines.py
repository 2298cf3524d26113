"""Trunks that make calls, read anew while calls are under way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from control.telephony.outbound_lines import OutboundLines
from voicebackend.errors import InvalidConfig
from voicebackend.keys import Keys

ROUTES: dict[str, Any] = {"version": 1, "targets": {"a": {"provider": "mock", "agent": "a"}}, "routes": []}


def write(path: Path, trunks: dict[str, Any], moment: int) -> None:
    """Write the file as it is at a moment of its own."""
    routes = {**ROUTES, "routes": [{"id": "all", "use": [{"to": [{"target": "a"}]}]}]}
    path.write_text(yaml.safe_dump({"trunks": trunks, "routes": routes}))
    os.utime(path, (moment, moment))


async def test_a_trunk_that_did_not_change_keeps_its_carrier(tmp_path: Path) -> None:
    """Its orders under way are not cut off; another's that changed is made anew, and one that is gone goes."""
    path = tmp_path / "telephony.yaml"
    kept = {"carrier": "mock", "outbound": {"caller_ids": ["+14155550100"]}}
    changed = {"carrier": "mock", "outbound": {"caller_ids": ["+14155550101"]}}
    write(path, {"kept": kept, "changed": changed, "gone": kept}, 1_000)
    lines = OutboundLines(path, cast("Any", None), Keys())
    before = await lines.now()
    write(path, {"kept": kept, "changed": {**changed, "outbound": {**changed["outbound"], "cps": 9}}}, 2_000)
    after = await lines.now()
    assert set(after) == {"kept", "changed"}
    assert after["kept"].carrier is before["kept"].carrier
    assert after["changed"].carrier is not before["changed"].carrier
    assert after["changed"].settings.cps == 9
    await lines.aclose()


async def test_a_livekit_trunk_may_only_hand_calls_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that came in: it makes none then, and needs no trunk of the server's."""
    for name, value in {"URL": "wss://lk.example.com", "API_KEY": "k", "API_SECRET": "s" * 32}.items():
        monkeypatch.setenv(f"LIVEKIT_{name}", value)
    path = tmp_path / "telephony.yaml"
    write(path, {"lk": {"carrier": "livekit", "transfer_to": ["+14155550199"]}}, 1_000)
    lines = OutboundLines(path, cast("Any", None), Keys())
    assert await lines.now() == {}
    line = await lines.handover("lk")
    assert line is not None
    assert (line.to, line.room_name) == (frozenset({"+14155550199"}), "room-{session_id}")
    await lines.aclose()


@pytest.mark.parametrize("trunk", [{}, {"outbound": {"caller_ids": ["+14155550100"]}}, {"sip_trunk": "ST_1"}])
async def test_a_livekit_trunk_is_of_use(tmp_path: Path, trunk: dict[str, Any]) -> None:
    """One that can do nothing, or calls by nothing, is refused when the file is read."""
    path = tmp_path / "telephony.yaml"
    write(path, {"lk": {"carrier": "livekit", **trunk}}, 1_000)
    with pytest.raises(InvalidConfig):
        await OutboundLines(path, cast("Any", None), Keys()).now()
