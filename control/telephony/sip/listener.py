"""Runs a user agent server: hands it what sockets get, sends what it says, wakes it in time, tells what happened."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, TypeAlias

from control.telephony.sip.events import Asked, Event, Outgoing, Source
from control.telephony.sip.probe import answers
from control.telephony.sip.settings import ListenAddress
from control.telephony.sip.sockets import DatagramSocket, StreamServer, cannot_listen, datagrams
from control.telephony.sip.token_bucket import TokenBucket
from control.telephony.sip.trunks import TrunkAccess
from control.telephony.sip.user_agent import UserAgentServer
from voicebackend import telemetry
from voicebackend._background import Background
from voicebackend.hooks import HookFailed, ask

logger = logging.getLogger(__name__)

Answer: TypeAlias = Callable[[bytes, Mapping[str, Any]], Awaitable[bytes]]
"""``TelephonyHook.handle_sip``: a request that we do not serve, and what is known of it; empty refuses it."""
ASK_S = 2.0
"""Seconds that the hook has."""
GOODBYE_S = 2.0
"""Seconds that calls have to confirm that they are over when we close."""


class Listener:
    """Runs a user agent server on UDP and TCP. Its commands are the agent's, without the time, and are sent."""

    def __init__(
        self,
        agent: UserAgentServer,
        listen: Sequence[ListenAddress],
        on_event: Callable[[Event], None],
        *,
        answer: Answer | None = None,
    ) -> None:
        """``on_event`` is called in the event loop with every event but ``Asked``; it must not wait or raise."""
        self._agent, self._listen, self._on_event, self._answer = agent, listen, on_event, answer
        self._numbers = itertools.count(1)
        self._datagrams: dict[int, DatagramSocket] = {}
        self._streams: list[StreamServer] = []
        self._places: list[ListenAddress] = []
        self._background = Background()
        self._complaints = TokenBucket(0.1, 5)
        self._wake: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()

    @property
    def places(self) -> tuple[ListenAddress, ...]:
        """Return where it listens, with the ports that sockets really have."""
        return tuple(self._places)

    async def start(self) -> None:
        """Open the sockets.

        Raises:
            InvalidConfig: an address is taken, or not of this machine; none is left open.

        """
        for address in self._listen:
            try:
                port = await self._open(address)
            except OSError as error:
                await self._close_sockets()
                raise cannot_listen(address, error) from error
            self._places.append(address.model_copy(update={"port": port}))
            self._agent.listens(address.transport, port)
            logger.info("SIP listens", extra={"transport": address.transport, "port": port})

    async def close(self) -> None:
        """Say BYE to every call, wait 2 s at most for their answers, and close the sockets."""
        self._act(self._agent.hang_up_all(self._now()))
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._idle.wait()
        except TimeoutError:
            logger.info("SIP closes before all calls confirmed their end", extra={"calls": self._agent.calls})
        await self._background.aclose()
        await self._close_sockets()
        self._schedule()

    async def healthy(self) -> bool:
        """Tell whether every socket answers an OPTIONS within a second."""
        if not self._places:
            return False
        return all(await asyncio.gather(*(answers(place, self._agent.probe) for place in self._places)))

    def renew(self, trunks: Mapping[str, TrunkAccess]) -> None:
        """Let in by these trunks from now on; calls that go on are not touched."""
        self._agent.renew(trunks)

    def ring(self, call: str) -> None:
        """Say 180."""
        self._act(self._agent.ring(call, self._now()))

    def accept(self, call: str, answer: bytes) -> None:
        """Say 200 with our SDP."""
        self._act(self._agent.accept(call, answer, self._now()))

    def refuse(self, call: str, code: int) -> None:
        """Refuse the call, or what it offered last."""
        self._act(self._agent.refuse(call, code, self._now()))

    def answer_again(self, call: str, answer: bytes) -> None:
        """Say 200 to what ``Renegotiated`` told."""
        self._act(self._agent.answer_again(call, answer, self._now()))

    def hang_up(self, call: str) -> None:
        """End the call."""
        self._act(self._agent.hang_up(call, self._now()))

    async def _open(self, address: ListenAddress) -> int:
        if address.transport == "udp":
            number = next(self._numbers)
            self._datagrams[number], port = await datagrams(address, number, self._take)
            return port
        server = StreamServer(lambda: next(self._numbers), self._take, self._is_unwanted)
        self._streams.append(server)
        return await server.start(address)

    def _is_unwanted(self, host: str) -> bool:
        """Tell whether a connection is of no trunk, nor from here, where we try our own sockets."""
        ours = ip_address(host).is_loopback or any(host == str(place.host) for place in self._places)
        return not ours and self._agent.is_stranger(host)

    async def _close_sockets(self) -> None:
        for datagram in self._datagrams.values():
            datagram.close()
        for stream in self._streams:
            await stream.close()
        self._places.clear()

    def _take(self, message: bytes, source: Source) -> None:
        try:
            self._act(self._agent.handle_sip(message, source, self._now()))
        except Exception as error:  # noqa: BLE001 - whatever a message does, the socket stays open
            self._complain("message of SIP failed", error)

    def _on_time(self) -> None:
        try:
            self._act(self._agent.due(self._now()))
        except Exception as error:  # noqa: BLE001 - other calls have timers too
            self._complain("timer of SIP failed", error)
            self._wake = asyncio.get_running_loop().call_later(1.0, self._on_time)

    def _act(self, sent: Iterable[Outgoing]) -> None:
        """Send, tell what happened, and see when time is to be told next."""
        for one in sent:
            self._send(one)
        for event in self._agent.take_events():
            self._tell(event)
        self._schedule()

    def _send(self, one: Outgoing) -> None:
        datagram = self._datagrams.get(one.destination.connection)
        try:
            if datagram is not None:
                datagram.send(one.data, one.destination)
            else:
                any(stream.send(one.data, one.destination) for stream in self._streams)
        except Exception as error:  # noqa: BLE001 - what cannot be sent is lost, as by the network
            self._complain("answer of SIP not sent", error)

    def _tell(self, event: Event) -> None:
        if isinstance(event, Asked):
            self._background.start(self._ask(event), name="sip_hook")
            return
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - one call's trouble is not the others'
            self._complain("event of SIP failed", error)

    async def _ask(self, asked: Asked) -> None:
        """Have the hook answer; with none, or none that answers, the request is refused."""
        reply, hook = b"", self._answer
        if hook is not None:
            about = {"trunk": asked.trunk, "remote": asked.source.host, "transport": asked.source.transport}
            try:
                reply = await ask(
                    lambda: hook(asked.message, about),
                    hook="telephony_hook.handle_sip",
                    expected=bytes,
                    timeout_s=ASK_S,
                )
            except HookFailed:
                reply = b""
        self._act(self._agent.reply_asked(asked.transaction, reply, self._now()))

    def _schedule(self) -> None:
        telemetry.sip_calls.set(self._agent.calls)
        telemetry.sip_transactions.set(self._agent.transactions)
        if self._agent.calls:
            self._idle.clear()
        else:
            self._idle.set()
        if self._wake is not None:
            self._wake.cancel()
        at = self._agent.next_due() if self._places else None  # who has no sockets has no time
        self._wake = None if at is None else asyncio.get_running_loop().call_at(at, self._on_time)

    def _complain(self, message: str, error: Exception) -> None:
        """Log without what was sent, and not for every message of a flood."""
        if self._complaints.take("", self._now()):
            logger.error(message, exc_info=error)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
