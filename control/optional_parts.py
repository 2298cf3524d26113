"""Opens what a deployment may do without: records, recordings, telephone calls that come and that are made."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from redis.asyncio import Redis

from control.gateway.recording import Recordings
from control.hook_table import HookTable
from control.records.cabinet import Cabinet
from control.records.prices import Prices
from control.telephony.call_desk import CallDesk
from control.telephony.live_switchboard import LiveSwitchboard
from control.telephony.outbound_lines import OutboundLines
from voicebackend.settings import Deployment


async def open_desk(deployment: Deployment, state: Redis) -> CallDesk | None:
    """Return what telephone calls share; None where a deployment takes none."""
    if deployment.telephony is None:
        return None
    board = LiveSwitchboard(deployment.telephony, deployment.base_url)
    await board.open()
    return CallDesk(state, deployment.keys, board)


async def open_cabinet(deployment: Deployment, state: Redis) -> Cabinet | None:
    """Return where records are kept, None where a deployment keeps none; a table of prices that is wrong is refused."""
    if deployment.prices is not None:
        await asyncio.to_thread(Prices.from_file, deployment.prices)
    if deployment.retention is None:
        return None
    return await asyncio.to_thread(Cabinet.open, deployment.retention, state, deployment.keys, deployment.records_key)


async def open_recordings(
    stack: AsyncExitStack, deployment: Deployment, cabinet: Cabinet | None, hooks: HookTable, state: Redis
) -> Recordings | None:
    """Return what records callers; None where no policy lets audio be kept."""
    if cabinet is None or not cabinet.settings.keeps_audio:
        return None
    folder = cabinet.settings.spool or deployment.home / "recordings"
    recordings = Recordings(cabinet, folder, lambda: hooks.find("data_retention_hook"), state, deployment.keys)
    recordings.start()
    stack.push_async_callback(recordings.aclose)
    return recordings


async def open_outbound(stack: AsyncExitStack, deployment: Deployment, state: Redis) -> OutboundLines:
    """Return the trunks that make calls; raises InvalidConfig if their settings are wrong."""
    lines = OutboundLines(deployment.telephony, state, deployment.keys)
    stack.push_async_callback(lines.aclose)
    await lines.now()
    return lines
