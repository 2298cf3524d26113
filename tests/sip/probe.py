"""A good client beside bad ones: asks whether SIP lives, and makes calls, and tells how long the answers took."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Self

HOST = "127.0.0.1"
ANSWER_S, AGAIN_S = 30.0, 0.5
TRIES = 60
BUSY = ("SIP/2.0 503", "SIP/2.0 480")
_calls = count(1)
_OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class Probe:
    """One socket. A request is sent until it is answered, as a full queue of the kernel loses some."""

    def __init__(self, target: tuple[str, int], called: str) -> None:
        self._target, self._called = target, called
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((HOST, 0))

    @classmethod
    @asynccontextmanager
    async def of(cls, target: tuple[str, int], called: str) -> AsyncIterator[Self]:
        """Give one that is closed afterwards."""
        probe = cls(target, called)
        try:
            yield probe
        finally:
            probe._socket.close()

    async def lives(self) -> float:
        """Return the seconds until OPTIONS had its 200."""
        return (await self._ask("OPTIONS", f"probe-{next(_calls)}"))[1]

    async def call(self) -> float:
        """Make a call, and end it at once; return the seconds until INVITE had its 200.

        Where the machine is too busy for one call more (503, 480) it is another call's turn, a second later.
        """
        answer, took, call_id = "", 0.0, ""
        for _ in range(TRIES):
            call_id = f"probe-{next(_calls)}"
            answer, took = await self._ask("INVITE", call_id, body=_OFFER)
            if answer.startswith("SIP/2.0 200"):
                break
            await asyncio.sleep(1)
        assert answer.startswith("SIP/2.0 200"), answer
        found = re.search(r"^(?:To|t):.*?(;tag=[^;\s]+)", answer, re.MULTILINE | re.IGNORECASE)
        assert found, answer
        await self._send("ACK", call_id, tag=found[1])
        await self._ask("BYE", call_id, tag=found[1])
        return took

    async def _ask(self, method: str, call_id: str, *, body: str = "", tag: str = "") -> tuple[str, float]:
        now = asyncio.get_running_loop().time
        began, again_s = now(), AGAIN_S
        async with asyncio.timeout(ANSWER_S):
            while True:
                await self._send(method, call_id, body=body, tag=tag)
                try:
                    async with asyncio.timeout(again_s):
                        return await self._answer(method, call_id), now() - began
                except TimeoutError:
                    again_s *= 2

    async def _answer(self, method: str, call_id: str) -> str:
        while True:
            answer = (await asyncio.get_running_loop().sock_recv(self._socket, 65_536)).decode()
            if call_id in answer and f" {method}\r\n" in answer and not answer.startswith("SIP/2.0 1"):
                assert answer.startswith("SIP/2.0 200") or (method == "INVITE" and answer.startswith(BUSY)), answer
                return answer

    async def _send(self, method: str, call_id: str, *, body: str = "", tag: str = "") -> None:
        host, port = self._target
        ours = f"{HOST}:{self._socket.getsockname()[1]}"
        number = {"INVITE": 1, "ACK": 1}.get(method, 2)
        lines = [
            f"{method} sip:{self._called}@{host}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {ours};branch=z9hG4bK{call_id}{method}",
            f"From: <sip:+12025550111@{ours}>;tag=probe",
            f"To: <sip:{self._called}@{host}:{port}>{tag}",
            f"Call-ID: {call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:probe@{ours}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        message = "\r\n".join([*lines, "", body]).encode()
        await asyncio.get_running_loop().sock_sendto(self._socket, message, self._target)
