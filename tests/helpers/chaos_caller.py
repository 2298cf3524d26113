"""A caller in real time who talks with the agent ``story``, and notes down every gap and every word."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from chaos_agents import story, word
from chaos_processors import POISON

from providers.mock.tones import speak, spoken

RATE = 16_000
FRAME_S = 0.02
_FRAME = bytes(round(FRAME_S * RATE) * 2)
WORDS = 8
"""In what the caller says in a turn."""
LETTER_S = 0.04
TURN_S = 60.0
"""Seconds within which a turn must have been answered."""


@dataclass
class Told:
    """What a caller heard and what became of it, over the whole call."""

    turns: int = 0
    gaps_s: list[float] = field(default_factory=list)
    """Silence within an answer, from 50 ms on."""
    faults: list[str] = field(default_factory=list)


class ChaosCaller:
    """Sends a frame every 20 ms; plays what comes without a buffer of its own."""

    def __init__(self, number: int, url: str, api_key: str, http: aiohttp.ClientSession) -> None:
        self.number, self.told = number, Told()
        self._url, self._key, self._http = url, api_key, http
        self._to_say: deque[bytes] = deque()
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()
        self._turn, self._ends_at = 0, 0.0
        self._audio: dict[int, bytearray] = {}
        self.session = ""

    async def call(self, turns: int) -> None:
        """Hold a call of so many turns; what goes wrong is told in ``told.faults``."""
        created = await self._create()
        self.session = created["id"]
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with self._http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            tasks = [
                asyncio.create_task(self._send(socket), name=f"caller {self.number} sends"),
                asyncio.create_task(self._receive(socket), name=f"caller {self.number} receives"),
            ]
            try:
                for turn in range(1, turns + 1):
                    await self._take_turn(turn)
                await socket.send_json({"type": "stop"})
                await self._until("ended")
            except (AssertionError, TimeoutError) as error:
                self.told.faults.append(f"caller {self.number}, turn {self._turn}: {error!r}")
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        await self._compare_log()

    async def poisoned(self) -> str:
        """Call, go on sending audio that kills whoever hears it, and return why the session ended."""
        created = await self._create()
        self.session = created["id"]
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with self._http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            receiving = asyncio.create_task(self._receive(socket), name="poisoner receives")
            await self._until("ready")
            self._to_say.extend([_FRAME] * 50)
            self._to_say.extend([POISON, *[_FRAME] * 9] * round(TURN_S / FRAME_S / 10))
            sending = asyncio.create_task(self._send(socket), name="poisoner sends")
            try:
                await self._until("ended")
            finally:
                for task in (sending, receiving):
                    task.cancel()
                await asyncio.gather(sending, receiving, return_exceptions=True)
        return str(self._of("ended")[0]["reason"])

    async def _create(self) -> dict[str, Any]:
        body = {"user_id": f"caller-{self.number}", "transport": "websocket", "agent": "story"}
        headers = {"Authorization": f"Bearer {self._key}", "Prefer": "wait=10"}
        async with self._http.post(f"{self._url}/v1/sessions", json=body, headers=headers) as response:
            assert response.status == 201, await response.text()
            return dict(await response.json())

    async def _take_turn(self, turn: int) -> None:
        says = self.says(turn)
        since = len(self.events)
        self._to_say.extend(_frames(speak(says, RATE, LETTER_S)))
        await self._until("transcript", since=since, role="agent", final=True, turn=turn)
        await self._until("audio_end", since=since, turn=turn)
        await asyncio.sleep(max(0.0, self._ends_at - asyncio.get_running_loop().time()))
        audio = bytes(self._audio.get(turn, b""))
        heard = await asyncio.to_thread(spoken, audio, RATE)  # a while, in which the others go on speaking
        self._check(differences(story(turn), heard), turn)
        user = {event["text"] for event in self._of("transcript", role="user", final=True, turn=turn)}
        if user != {says}:
            self.told.faults.append(f"caller {self.number}, turn {turn}: was understood as {user}, said {says!r}")
        self.told.turns += 1

    def says(self, turn: int) -> str:
        """Return what this caller says in a turn."""
        return " ".join(word(10_000 + self.number * 1000 + turn * 10 + at) for at in range(WORDS))

    def _check(self, fault: str, turn: int) -> None:
        if fault:
            self.told.faults.append(f"caller {self.number}, turn {turn}: {fault}")

    async def _compare_log(self) -> None:
        """See that the session's log has each turn once, and whole."""
        said = [
            (entry["role"], entry["turn"], letters(entry["text"]))
            for entry in await self._log()
            if entry["type"] == "transcript" and entry["final"]
        ]
        wanted = []
        for turn in range(1, self.told.turns + 1):
            wanted += [("user", turn, letters(self.says(turn))), ("agent", turn, letters(story(turn)))]
        if said[: len(wanted)] != wanted:
            self.told.faults.append(f"caller {self.number}: the log has {[s[:2] for s in said]}")

    async def _log(self) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._key}"}
        async with self._http.get(f"{self._url}/v1/sessions/{self.session}/events", headers=headers) as response:
            lines = (await response.text()).splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await socket.send_bytes(self._to_say.popleft() if self._to_say else _FRAME)
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            async with self._changed:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._play(message.data)
                else:
                    event = json.loads(message.data)
                    self.events.append(event)
                    if event["type"] == "audio_start" and event["turn"] != self._turn:
                        self._turn, self._ends_at = event["turn"], 0.0
                self._changed.notify_all()
        async with self._changed:
            self.events.append({"type": "closed", "code": socket.close_code})
            self._changed.notify_all()

    def _play(self, pcm: bytes) -> None:
        now = asyncio.get_running_loop().time()
        if self._ends_at and now - self._ends_at > 0.05:
            self.told.gaps_s.append(now - self._ends_at)
        self._ends_at = max(now, self._ends_at) + len(pcm) / 2 / RATE
        self._audio.setdefault(self._turn, bytearray()).extend(pcm)

    def _of(self, kind: str, since: int = 0, **expected: Any) -> list[dict[str, Any]]:
        return [one for one in self.events[since:] if one["type"] == kind and expected.items() <= one.items()]

    async def _until(self, kind: str, since: int = 0, **expected: Any) -> None:
        async with asyncio.timeout(TURN_S), self._changed:
            await self._changed.wait_for(lambda: self._of(kind, since, **expected) or self._of("closed"))
        assert self._of(kind, since, **expected), f"no {kind} {expected}, but {self.events[-1]}"


def _frames(pcm: bytes) -> list[bytes]:
    size = len(_FRAME)
    return [pcm[at : at + size].ljust(size, b"\0") for at in range(0, len(pcm), size)]


def letters(text: str) -> str:
    """Return a text without all that is not heard."""
    return re.sub(r"[^a-z]", "", text.lower())


REPEATED, LOST = 25, 2
"""Letters that may come again where a voice was cut off: its last word's, or up to five words' if nobody knows yet how
long the clause will be; never a sentence. And those lost to our ear: the letter that was cut off, and the one that
follows it without a gap."""
_SURE = 4
"""Letters by which a place in the story is known."""


def differences(wanted: str, heard: str) -> str:
    """Return what is wrong with what was heard: empty if each word came once but for the one at each cut."""
    wanted, heard = letters(wanted), letters(heard)
    at = now = 0
    while now < len(heard):
        if at < len(wanted) and heard[now] == wanted[at]:
            at, now = at + 1, now + 1
            continue
        places = [*range(at - 1, at - REPEATED - 1, -1), *range(at + 1, at + LOST + 1)]
        found = next((place for place in places if place >= 0 and _agree(wanted[place:], heard[now:])), None)
        if found is None:
            return (
                f"after {heard[max(0, now - 12) : now]!r} came {heard[now : now + 12]!r}, not {wanted[at : at + 12]!r}"
            )
        at = found
    return "" if at >= len(wanted) - LOST else f"the end is missing: {wanted[at : at + 24]!r}"


def _agree(wanted: str, heard: str) -> bool:
    sure = min(_SURE, len(wanted), len(heard))
    return sure > 0 and wanted[:sure] == heard[:sure]
