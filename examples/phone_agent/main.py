"""A telephone agent: a call comes in, is answered and talked to, a key is pressed, and the caller hangs up.

The real processes run, as `voicebackend up` starts them; only the telephone company is a stand-in. With an account at
one, the same agent answers your number: docs/telephony.md.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from carrier import Call

HERE = Path(__file__).parent
SECRET = "of-your-account-at-the-carrier"


@asynccontextmanager
async def deployment(home: Path) -> AsyncIterator[dict[str, str]]:
    """Run one, on a port of its own, and give its address and API key."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    told = {"VOICEBACKEND_AGENTS": "reception", "VOICEBACKEND_TELEPHONY": str(HERE / "telephony.yaml")}
    env = {**os.environ, **told, "PYTHONPATH": str(HERE), "CARRIER_SECRET": SECRET, "VOICEBACKEND_HOME": str(home)}
    up = [Path(sys.executable).with_name("voicebackend"), "up", "--port", port, "--config", HERE / "voice.yaml"]
    process = await asyncio.create_subprocess_exec(*up, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    async for line in process.stdout:
        if b"in another terminal" in line:  # it says so when it is ready
            break
    log = asyncio.create_task(process.stdout.read(), name="log")
    try:
        yield json.loads((home / "dev.json").read_text())
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.gather(process.wait(), log)


async def said(http: aiohttp.ClientSession, url: str, turns: int) -> list[dict[str, Any]]:
    """Return what was said, once the agent has said so many things."""
    while True:
        async with http.get(url) as answer:
            segments = (await answer.json())["segments"]
        if sum(one["role"] == "agent" for one in segments) >= turns:
            return segments
        await asyncio.sleep(0.2)


async def main() -> None:
    with TemporaryDirectory() as home:
        async with asyncio.timeout(180), deployment(Path(home)) as at:
            key = {"Authorization": f"Bearer {at['api_key']}"}
            async with aiohttp.ClientSession() as carrier, aiohttp.ClientSession(headers=key) as http:
                call = Call(carrier, SECRET)
                stream = await call.ring(f"{at['url']}/v1/telephony/main/call")
                transcript = f"{at['url']}/v1/sessions/{stream.rsplit('/', 1)[-1]}/transcript"
                talking = asyncio.create_task(call.talk(stream), name="call")
                await said(http, transcript, 1)  # the greeting
                call.say_something()
                await said(http, transcript, 2)  # what the keys are for
                await call.press("1")
                for one in await said(http, transcript, 3):
                    print(f"{one['role']}: {one['text']}")
                talking.cancel()  # the caller hangs up
                print(f"the caller heard the agent for {call.heard_s:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
