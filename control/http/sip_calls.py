"""All telephone calls by SIP of one process: what signalling tells goes to its call, and the end waits for them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

from control.http.sip_call import Exchange, SipCall
from control.services import Services
from control.telephony.live_switchboard import LiveSwitchboard
from control.telephony.rtp.media_ports import MediaPorts
from control.telephony.rtp.pacer import Pacer
from control.telephony.sip.events import Asked, Confirmed, Ended, Event, Invited, Pressed, Renegotiated
from control.telephony.sip.listener import Listener
from control.telephony.sip.media_address import MediaAddresses
from control.telephony.sip.settings import Address, SipSettings
from control.telephony.sip.user_agent import UserAgentServer
from control.telephony.switchboard import SipExchange, Switchboard
from voicebackend._background import Background
from voicebackend.hooks import HookFailed, ask

logger = logging.getLogger(__name__)

WATCH_S = 10.0
"""Seconds between looks whether SIP answers."""
BYE_S = 3.0
"""Seconds that all calls have together to be ended by us."""


@asynccontextmanager
async def sip_calls(services: Services) -> AsyncIterator[None]:
    """Take calls by SIP while the context is open, if the deployment has any.

    Raises:
        InvalidConfig: an address of ``sip.listen`` is taken, or not of this machine.

    """
    board = None if services.desk is None else services.desk.board
    if board is None or board.current.sip is None:
        yield
        return
    calls = SipCalls(services, board, board.current.sip)
    with board.followed(calls.renew):
        await calls.start()
        try:
            yield
        finally:
            await calls.close()


class SipCalls:
    """Calls by their names."""

    def __init__(self, services: Services, board: LiveSwitchboard, sip: SipExchange) -> None:
        self._services, self._board, self._sip = services, board, sip
        settings = sip.settings
        agent = UserAgentServer(settings, sip.access, secret=secrets.token_bytes(32))
        self._listener = Listener(agent, settings.listen, self._hear, answer=self._ask)
        ports = settings.media_ports
        self._exchange = Exchange(
            services=services,
            board=board,
            signalling=self._listener,
            ports=MediaPorts(_media_host(settings), ports.first, ports.last),
            pacer=Pacer(),
            settings=settings,
        )
        self._calls: dict[str, tuple[SipCall, asyncio.Task[None]]] = {}
        self._background = Background()
        self._idle = asyncio.Event()
        self._draining = False

    def __repr__(self) -> str:
        return f"<SipCalls [{len(self._calls)}]>"

    async def start(self) -> None:
        """Open the sockets of signalling; raises InvalidConfig."""
        await self._listener.start()
        self._background.start(self._watch(), name="sip health")

    def renew(self, switchboard: Switchboard) -> None:
        """Let in by the trunks that there are now; calls that are up go on."""
        if switchboard.sip is not None:
            self._sip = switchboard.sip
            self._listener.renew(switchboard.sip.access)

    async def close(self) -> None:
        """Take no more calls, wait for those that are held, and end what is left."""
        self._draining = True
        await self._until_idle(self._sip.settings.drain_s)
        for call, task in list(self._calls.values()):
            if not call.hang_up():
                task.cancel()
        await self._until_idle(BYE_S)
        await self._background.aclose()
        await self._listener.close()

    async def _watch(self) -> None:
        """Ask our own sockets now and then: a process that lives may have lost them."""
        while True:
            answers = await self._listener.healthy()
            if not answers:
                logger.error("SIP does not answer")
            if self._services.desk is not None:
                self._services.desk.sip_answers = answers
            await asyncio.sleep(WATCH_S)

    async def _until_idle(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self._calls:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            logger.info("calls have not ended", extra={"calls": len(self._calls)})

    def _hear(self, event: Event) -> None:
        """Pass on what signalling tells; ``Asked`` never comes here."""
        if isinstance(event, Invited):
            self._begin(event)
            return
        found = self._calls.get(event.call) if not isinstance(event, Asked) else None
        if found is None:
            return
        call, task = found
        match event:
            case Confirmed():
                call.confirmed(event.body)
            case Renegotiated():
                call.renegotiated(event.offer)
            case Pressed():
                call.press(event.digit)
            case Ended():
                logger.info("call ended", extra={"reason": event.reason})
                if not call.hang_up():
                    task.cancel()

    def _begin(self, invited: Invited) -> None:
        if self._draining:
            self._listener.refuse(invited.call, 503)
            return
        line = self._board.current.lines[invited.trunk]
        addresses = MediaAddresses(invited.source, self._sip.access[invited.trunk].networks)
        call = SipCall(self._exchange, line, invited, addresses)
        task = self._background.start(call.run(), name=f"sip call {invited.call}")
        self._calls[invited.call] = (call, task)
        task.add_done_callback(lambda _: self._over(invited.call))

    def _over(self, call: str) -> None:
        del self._calls[call]
        self._idle.set()

    async def _ask(self, message: bytes, about: Mapping[str, Any]) -> bytes:
        """Have the deployment's hook answer what the user agent does not serve; empty refuses it."""
        hook = self._services.hooks.find("telephony_hook")
        if hook is None:
            return b""
        try:
            return await ask(
                lambda: hook.handle_sip(message, dict(about)), hook="telephony_hook.handle_sip", expected=bytes
            )
        except HookFailed:
            return b""


def _media_host(settings: SipSettings) -> Address:
    """Return where media is listened for: as signalling is, in the family of the address that we tell."""
    host, told = settings.listen[0].host, settings.address
    return host if host.version == told.version else ip_address("0.0.0.0" if told.version == 4 else "::")  # noqa: PLR2004, S104
