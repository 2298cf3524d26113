"""The least that a websocket costs in aiohttp: a server that sends every message back. ``python -m … PORT``."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import WSMsgType, web

from voicebackend.process import loop_factory, settle

READY = '{"type":"ready"}'


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Answer a text with ``READY``, and audio with itself."""
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        elif message.type is WSMsgType.TEXT:
            await ws.send_str(READY)
    return ws


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    settle()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as running:
        running.run(serve(int(sys.argv[1])))
