"""Stands for a telephone company, so that the example needs no account: it tells of a call and streams its sound.

It does what Twilio would do: a signed webhook for each call, then a websocket with mu-law sound of 8 kHz and keys.
"""

import asyncio
import hmac
import json
from base64 import b64encode
from uuid import uuid4
from xml.etree import ElementTree

import aiohttp

FRAME = 160
"""Bytes of 20 ms."""
QUIET, LOUD = b"\xff" * FRAME, b"\x10\x90" * (FRAME // 2)


class Call:
    """One call from somebody's telephone."""

    def __init__(self, http: aiohttp.ClientSession, secret: str) -> None:
        self._http, self._secret, self._id = http, secret, f"CA{uuid4().hex}"
        self._says: list[bytes] = []
        self.heard_s = 0.0
        """Seconds of the agent's speech that came."""

    async def ring(self, webhook: str) -> str:
        """Tell of the call until it is answered; return where its sound is wanted."""
        url = webhook
        while True:
            form = {"CallSid": self._id, "From": "+12025550111", "To": "+14155550123"}
            signed = url + "".join(name + form[name] for name in sorted(form))
            signature = b64encode(hmac.digest(self._secret.encode(), signed.encode(), "sha1")).decode()
            async with self._http.post(url, data=form, headers={"X-Twilio-Signature": signature}) as answer:
                told = ElementTree.fromstring(await answer.text())  # noqa: S314 - of our own deployment
            if (stream := told.find("Connect/Stream")) is not None:
                self._token = stream[0].attrib["value"]
                return stream.attrib["url"]
            await asyncio.sleep(1)
            url = told.findtext("Redirect") or webhook  # "not ready yet: ask again there"
            if url == webhook:  # it is busy: call again
                self._id = f"CA{uuid4().hex}"

    async def talk(self, stream: str) -> None:
        """Stream the call's sound both ways until cancelled: that hangs up."""
        start = {"callSid": self._id, "customParameters": {"token": self._token}}
        start |= {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}
        async with self._http.ws_connect(stream) as self._line, asyncio.TaskGroup() as both:
            await self._send("start", start=start)
            both.create_task(self._speak(), name="speak")
            async for message in self._line:
                told = json.loads(message.data)
                if told["event"] == "media":
                    self.heard_s += len(told["media"]["payload"]) * 3 / 4 / 8000
                elif told["event"] == "mark":  # "tell me when this was played"
                    await self._send("mark", mark=told["mark"])

    def say_something(self) -> None:
        """Make a sound that the mock takes for speech; ``provider: local`` would want words."""
        self._says += [LOUD] * 25

    async def press(self, key: str) -> None:
        """Press a key."""
        await self._send("dtmf", dtmf={"track": "inbound_track", "digit": key})

    async def _speak(self) -> None:
        while True:
            frame = self._says.pop(0) if self._says else QUIET
            await self._send("media", media={"track": "inbound", "payload": b64encode(frame).decode()})
            await asyncio.sleep(0.02)

    async def _send(self, event: str, **told: object) -> None:
        await self._line.send_json({"event": event, "streamSid": "MZ" + "1" * 32, "sequenceNumber": "1", **told})
