"""Twilio's REST API for calls as a double: numbers are scripted, webhooks signed; its own package drives it too."""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import md5
from secrets import token_hex
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import aiohttp
from aiohttp import web

ACCOUNT = "AC" + "0" * 31 + "1"
TOKEN = "0123456789abcdef0123456789abcdef"
OVER = {"completed", "busy", "failed", "no-answer", "canceled"}
FORBIDDEN = "+15005550001"
"""A number that the REST API refuses as none."""
OK = 200
PAUSE_S = 1.0
"""Seconds of a ``<Pause>``."""
DETECTION_S = 1.0
"""Seconds of a call after which it is known who answered."""

Form = list[tuple[str, str]]
Talk = Callable[[str, str], Coroutine[Any, Any, None]]
"""Holds a media stream, given its address and token, until the call is over."""


@dataclass
class Call:
    """One call as Twilio knows it."""

    sid: str
    form: Form
    status: str = "queued"
    answered_by: str | None = None
    twiml: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses with which our webhooks answered."""
    waits: int = 0
    """How often it was told to wait, and ask again."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    redirected: asyncio.Event = field(default_factory=asyncio.Event)
    """It has other TwiML, the last, to go on with."""

    def __getitem__(self, name: str) -> str:
        return dict(self.form).get(name, "")

    def view(self) -> dict[str, object]:
        """Return what the API shows."""
        now = formatdate(usegmt=False)
        return {
            "sid": self.sid,
            "account_sid": ACCOUNT,
            "status": self.status,
            "answered_by": self.answered_by,
            "to": self["To"],
            "from": self["From"],
            "date_created": now,
            "date_updated": now,
            "start_time": now,
            "end_time": None,
            "duration": None,
            "price": None,
            "api_version": "2010-04-01",
            "direction": "outbound",
        }


class TwilioDouble:
    """``url`` is where it listens; ``script`` says of a number what becomes of a call to it, in Twilio's words."""

    def __init__(self, talk: Talk | None = None) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.requests: list[tuple[str, str, Form]] = []
        """Method, path and form of what was asked, in order."""
        self.faults: deque[tuple[int, dict[str, str]]] = deque()
        """Statuses and headers with which the next requests are refused, nothing done."""
        self.script: Callable[[str], str] = lambda number: "completed"
        self.dialled: Callable[[str], str] = lambda number: "completed"
        """What becomes of ``<Dial>`` to a number, as ``DialCallStatus``."""
        self._talk, self._salt = talk, token_hex(4)
        self._running: set[asyncio.Task[None]] = set()

    @property
    def app(self) -> web.Application:
        """Return what answers."""
        app = web.Application()
        root = f"/2010-04-01/Accounts/{ACCOUNT}"
        app.router.add_post(f"{root}/Calls.json", self._create)
        app.router.add_get(f"{root}/Calls.json", self._list)
        app.router.add_get(root + "/Calls/{sid}.json", self._fetch)
        app.router.add_post(root + "/Calls/{sid}.json", self._update)
        return app

    async def aclose(self) -> None:
        """End what goes on."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def ring_in(self, webhook: str, *, to: str, caller: str) -> Call:
        """Have somebody call a number whose voice webhook this is."""
        call = Call(self._sid(), [("To", to), ("From", caller), ("Url", webhook)])
        self.calls.append(call)
        self._own(self._answered(call, "completed"), call)
        return call

    async def tell(self, call: Call, url: str, **more: str) -> str:
        """Send a signed webhook and return what it is answered; connection faults are no answer."""
        told = {"CallSid": call.sid, "AccountSid": ACCOUNT, "To": call["To"], "From": call["From"], **more}
        signed = url + "".join(name + told[name] for name in sorted(told))
        signature = b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1")).decode()
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        timeout = aiohttp.ClientTimeout(total=15)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(url, data=urlencode(told), headers=headers) as response,
        ):
            call.answers.append(response.status)
            return await response.text()

    async def status(self, call: Call, status: str, **more: str) -> None:
        """Move a call on, and tell its status callback."""
        call.status = status
        if status in OVER:
            call.over.set()
        if call["StatusCallback"]:
            await self.tell(
                call, call["StatusCallback"], CallStatus=status, SequenceNumber=str(len(call.answers)), **more
            )

    # ------------------------------------------------------------ REST

    def _refusal(self, request: web.Request, form: Form) -> web.Response | None:
        self.requests.append((request.method, request.path, sorted(form)))
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        if b64decode(given).decode() != f"{ACCOUNT}:{TOKEN}":
            return _problem(401, 20003, "Authenticate")
        if self.faults:
            status, headers = self.faults.popleft()
            return _problem(status, 20429 if status == 429 else 20500, "fault", headers)
        return None

    async def _create(self, request: web.Request) -> web.Response:
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        if (refusal := self._refusal(request, form)) is not None:
            return refusal
        if dict(form).get("To") == FORBIDDEN:
            return _problem(400, 21211, "Invalid 'To' Phone Number")
        call = Call(self._sid(), form)
        self.calls.append(call)
        self._own(self._go(call), call)
        return web.json_response(call.view(), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        if (refusal := self._refusal(request, list(query.items()))) is not None:
            return refusal
        found = [
            call.view()
            for call in reversed(self.calls)
            if call["To"] == query.get("To", call["To"]) and call["From"] == query.get("From", call["From"])
        ]
        return web.json_response({"calls": found, "page": 0, "page_size": 50, "next_page_uri": None, "uri": ""})

    async def _fetch(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, [])) is not None:
            return refusal
        call = self._find(request)
        return _problem(404, 20404, "not found") if call is None else web.json_response(call.view())

    async def _update(self, request: web.Request) -> web.Response:
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        if (refusal := self._refusal(request, form)) is not None:
            return refusal
        call, wanted = self._find(request), dict(form)
        if call is None:
            return _problem(404, 20404, "not found")
        if call.status in OVER:
            return _problem(400, 21220, "Call is not in-progress. Cannot redirect.")
        if "Twiml" in wanted:
            call.twiml.append(wanted["Twiml"])
            call.redirected.set()
        if wanted.get("Status") == "completed":
            call.over.set()
        return web.json_response(call.view())

    def _sid(self) -> str:
        return "CA" + md5(f"{self._salt}{len(self.calls)}".encode()).hexdigest()  # noqa: S324 - an id

    def _own(self, going: Coroutine[Any, Any, None], call: Call) -> None:
        self._running.add(asyncio.create_task(going, name=f"call {call.sid}"))

    def _find(self, request: web.Request) -> Call | None:
        return next((call for call in self.calls if call.sid == request.match_info["sid"]), None)

    # ------------------------------------------------------------ the call itself

    async def _go(self, call: Call) -> None:
        """Ring, and be answered or not, as the script says."""
        end = self.script(call["To"])
        if not call["Url"]:
            return
        await self.status(call, "initiated")
        await self.status(call, "ringing")
        if end == "silent":  # it rings until we hang up
            await call.over.wait()
            await self.status(call, "canceled")
        elif end in {"busy", "no-answer", "failed"}:
            await self.status(call, end)
        else:
            await self._answered(call, end)

    async def _asked(self, call: Call, url: str, **more: str) -> str:
        """Ask what a call shall do, and again after a pause where we are told so."""
        answer = await self.tell(call, url, **more)
        while call.answers[-1] == OK and (redirect := ElementTree.fromstring(answer).find("Redirect")) is not None:  # noqa: S314 - our own
            call.waits += 1
            await asyncio.sleep(PAUSE_S)
            answer = await self.tell(call, redirect.text or "", **more)
        return answer

    async def _answered(self, call: Call, end: str) -> None:
        call.status = "in-progress"
        answer = await self._asked(call, call["Url"], CallStatus="in-progress")
        if call.answers[-1] != OK:  # the called party hears that there is an error
            await self.status(call, "completed", CallDuration="1")
            return
        call.twiml.append(answer)
        await self.status(call, "in-progress")
        detecting = asyncio.create_task(self._detect(call, end), name="machine detection")
        await self._hold(call, answer)
        detecting.cancel()
        await asyncio.gather(detecting, return_exceptions=True)
        await self.status(call, "completed", CallDuration="7")

    async def _detect(self, call: Call, end: str) -> None:
        """Find out who answered, while the call goes on already."""
        if end.startswith("machine") and call["AsyncAmdStatusCallback"]:
            await asyncio.sleep(DETECTION_S)
            call.answered_by = end
            await self.tell(call, call["AsyncAmdStatusCallback"], AnsweredBy=end, MachineDetectionDuration="3000")

    async def _hold(self, call: Call, twiml: str) -> None:
        """Do as the TwiML says, and what comes in its place, until the call is over."""
        while not call.over.is_set():
            verbs = ElementTree.fromstring(twiml)  # noqa: S314 - our own
            stream, dial = verbs.find("Connect/Stream"), verbs.find("Dial")
            call.redirected.clear()
            if dial is not None:
                status = self.dialled(dial.text or "")
                call.twiml.append(await self._asked(call, dial.attrib["action"], DialCallStatus=status))
            elif stream is None or not await self._stream(call, stream):
                return
            twiml = call.twiml[-1]

    async def _stream(self, call: Call, stream: ElementTree.Element) -> bool:
        """Hold a media stream; tell whether the call goes on with other TwiML."""
        parameter = stream.find("Parameter")
        assert parameter is not None
        assert self._talk is not None
        talking = asyncio.create_task(self._talk(stream.attrib["url"], parameter.attrib["value"]), name="talk")
        waiting = [asyncio.create_task(event.wait(), name="event") for event in (call.over, call.redirected)]
        await asyncio.wait({talking, *waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in (talking, *waiting):
            task.cancel()
        await asyncio.gather(talking, *waiting, return_exceptions=True)
        return call.redirected.is_set() and not call.over.is_set()


@asynccontextmanager
async def twilio(talk: Talk | None = None) -> AsyncIterator[TwilioDouble]:
    """Run a double on a free port."""
    double = TwilioDouble(talk)
    runner = web.AppRunner(double.app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield double
    finally:
        await double.aclose()
        await runner.cleanup()


def _problem(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    told = {"code": code, "message": message, "more_info": "", "status": status}
    return web.json_response(told, status=status, headers=headers)
