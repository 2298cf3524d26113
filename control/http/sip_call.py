"""One telephone call by SIP: routed, given a session, answered, and held by the gateway until either side ends it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from control.http.call_session import end
from control.http.incoming_calls import Taken, take_call
from control.services import Services
from control.telephony.call_register import Refused
from control.telephony.carriers.carrier import Incoming
from control.telephony.carriers.fields import said, sip_headers
from control.telephony.live_switchboard import LiveSwitchboard
from control.telephony.rtp.latch import Latch
from control.telephony.rtp.media_ports import MediaPort, MediaPorts
from control.telephony.rtp.pacer import Pacer
from control.telephony.rtp.rtp_caller import RtpCaller
from control.telephony.rtp.rtp_stream import RtpStream
from control.telephony.sip.events import Invited
from control.telephony.sip.media_address import MediaAddresses
from control.telephony.sip.negotiation import Negotiation
from control.telephony.sip.sdp import Agreed
from control.telephony.sip.settings import SipSettings
from control.telephony.switchboard import Line
from voicebackend.errors import ErrorCode, InvalidFormat, OperationTimeout, VoiceBackendError
from voicebackend.session import SessionState, is_over

logger = logging.getLogger(__name__)

_CODES: Mapping[ErrorCode, int] = MappingProxyType(
    {
        ErrorCode.INVALID_FORMAT: 488,
        ErrorCode.TIMEOUT: 480,
        ErrorCode.SESSION_NOT_ACTIVE: 480,
        ErrorCode.SESSION_ALREADY_ACTIVE: 482,
        ErrorCode.SESSION_LIMIT_EXCEEDED: 503,
        ErrorCode.RATE_LIMIT_EXCEEDED: 503,
        ErrorCode.CONNECTION_FAILED: 503,
        ErrorCode.CONNECTION_TIMEOUT: 503,
    }
)
"""The SIP status of our errors; 500 for any other."""


class Signalling(Protocol):
    """What a call says by SIP: the listener's commands."""

    def ring(self, call: str) -> None:
        """Say 180."""
        ...

    def accept(self, call: str, answer: bytes) -> None:
        """Say 200."""
        ...

    def refuse(self, call: str, code: int) -> None:
        """Refuse the call, or what it offered last."""
        ...

    def answer_again(self, call: str, answer: bytes) -> None:
        """Say 200 to a new offer."""
        ...

    def hang_up(self, call: str) -> None:
        """End the call."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What the calls of one process share."""

    services: Services
    board: LiveSwitchboard
    signalling: Signalling
    ports: MediaPorts
    pacer: Pacer
    settings: SipSettings


class SipCall:
    """A call from its INVITE to its end; ``run`` holds it, the other methods tell what came by signalling."""

    def __init__(self, exchange: Exchange, line: Line, invited: Invited, addresses: MediaAddresses) -> None:
        """``addresses`` knows which may be the caller's."""
        self._exchange, self._line, self._invited, self._addresses = exchange, line, invited, addresses
        self._call, self._signalling = invited.call, exchange.signalling
        self._media = Negotiation(exchange.settings, addresses, session=secrets.randbits(31))
        self._port: MediaPort | None = None
        self._caller: RtpCaller | None = None
        self._answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        """The SDP of an ACK, where the call began with an offer of ours."""

    def __repr__(self) -> str:
        return f"<SipCall {self._call} [{self._caller or 'rings'}]>"

    async def run(self) -> None:
        """Take the call, and hold it until it is over; whatever goes wrong is told by SIP. Cancelled, it hangs up."""
        code = 0
        try:
            self._signalling.ring(self._call)
            code = await self._take()
        except VoiceBackendError as error:
            code = _CODES.get(error.code, 500)
            logger.warning("call not held", extra={"trunk": self._line.name, "error_code": error.code, "code": code})
        except Exception:
            code = 500
            logger.exception("call failed", extra={"trunk": self._line.name})
        finally:
            self._release()
            if code:
                self._signalling.refuse(self._call, code)
            self._signalling.hang_up(self._call)

    def confirmed(self, body: bytes | None) -> None:
        """The far side has our answer; ``body`` is its own to an offer of ours."""
        if not self._media.awaits_answer:
            return
        self._media.awaits_answer = False
        if body is None:
            if not self._answered.done():
                self._answered.set_exception(InvalidFormat("sip", "our offer was not answered"))
            return
        if self._caller is not None:
            self._renew(self._caller, body)
        elif not self._answered.done():
            self._answered.set_result(body)

    def renegotiated(self, offer: bytes | None) -> None:
        """The far side wants other media: hold, resume, another address."""
        if self._caller is None or self._port is None:
            self._signalling.refuse(self._call, 491)
        elif offer is None:
            self._signalling.answer_again(self._call, self._media.offer(self._port.port))
        elif (agreed := self._renew(self._caller, offer)) is not None:
            self._signalling.answer_again(self._call, self._media.answer(agreed, self._port.port))
        else:
            self._signalling.refuse(self._call, 488)

    def press(self, digit: str) -> None:
        """A key came by INFO."""
        if self._caller is not None:
            self._caller.press(digit)

    def hang_up(self) -> bool:
        """End the conversation; False if there is none yet, and ``run`` is to be cancelled."""
        if self._caller is None:
            return False
        self._caller.hang_up()
        return True

    async def _take(self) -> int:
        """Return the status that refuses the call, 0 once it was held."""
        offered = None if self._invited.offer is None else self._media.hear(self._invited.offer)
        services = self._exchange.services
        taken = await take_call(services, self._exchange.board.current, self._line, self._incoming())
        if isinstance(taken, Refused):
            return taken.code
        try:
            caller = await self._answer(taken, offered)
        except BaseException:
            await end(services, taken.session)
            raise
        await services.gateway.hold(caller, taken.session)
        return 0

    async def _answer(self, taken: Taken, offered: Agreed | None) -> RtpCaller:
        """Pick up once the session is there."""
        services, ready_s = self._exchange.services, self._exchange.settings.ready_s
        record = await services.logs.wait_until(taken.session, {SessionState.READY, SessionState.ACTIVE}, ready_s)
        if is_over(record.state):
            raise OperationTimeout("sip", f"the session is {record.state}")
        self._port = port = self._exchange.ports.open()
        if offered is None:
            self._signalling.accept(self._call, self._media.offer(port.port))
            agreed = self._media.hear(await self._answered)
        else:
            agreed = offered
            self._signalling.accept(self._call, self._media.answer(agreed, port.port))
        self._caller = self._talking(agreed, port, services.tokens.issue(taken.session, taken.tenant))
        return self._caller

    def _talking(self, agreed: Agreed, port: MediaPort, token: str) -> RtpCaller:
        latch = Latch(agreed.named, self._addresses.vets)
        ssrc, sequence, timestamp = (secrets.randbits(bits) for bits in (32, 16, 32))
        stream = RtpStream(agreed.media, latch, ssrc=ssrc, sequence=sequence, timestamp=timestamp)
        lost_s = self._exchange.settings.media_timeout_s
        caller = RtpCaller(stream, port, self._exchange.pacer, token=token, lost_s=lost_s)
        _follow(caller, agreed)
        return caller

    def _renew(self, caller: RtpCaller, body: bytes) -> Agreed | None:
        """Go on as the far side wants; None if that cannot be, and all stays as it is."""
        try:
            agreed = self._media.hear(body)
        except InvalidFormat:
            return None
        _follow(caller, agreed)
        return agreed

    def _incoming(self) -> Incoming:
        told = self._invited
        headers = sip_headers(told.headers, "")
        return Incoming(call_id=told.call_id, called=said(told.called), caller=said(told.caller), headers=headers)

    def _release(self) -> None:
        self._answered.cancel()
        if self._caller is not None:
            self._caller.release()
        if self._port is not None:
            self._port.close()


def _follow(caller: RtpCaller, agreed: Agreed) -> None:
    caller.renegotiated(agreed.media, agreed.named, sends=agreed.sends, hears=agreed.hears, on_hold=agreed.on_hold)
