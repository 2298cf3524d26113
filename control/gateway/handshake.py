"""The first messages of a caller's socket: who it is, and how its audio comes. Writes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import WSMessage, WSMsgType, web

from control.access.tokens import Audience, Claims, Tokens
from control.gateway.caller_socket import CallerSocket
from control.sessions.store import SessionStore
from voicebackend.codecs import Codec, open_codec
from voicebackend.errors import (
    AuthenticationFailed,
    InvalidConfig,
    InvalidFormat,
    OperationTimeout,
    SessionNotActive,
    VoiceBackendError,
    from_code,
)
from voicebackend.events import SUBPROTOCOL, TOKEN_PREFIX, Auth, Dtmf, Hold, Played, Start, Stop, parse_client
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, is_over

ClientMessage = Auth | Start | Played | Dtmf | Hold | Stop
"""What a caller may say in text."""
START_S = 5.0
"""Seconds within which ``start`` must have come."""


class CallerGone(Exception):
    """The caller's socket closed."""

    def __init__(self, code: int | None) -> None:
        self.code = code
        """The close code that the caller sent; None if the connection was lost."""
        super().__init__(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A caller that may be attached."""

    claims: Claims
    """Of its token, which is not yet spent."""
    record: SessionRecord
    codec: Codec
    """Of its audio, both ways."""


def offered_token(request: web.Request) -> str | None:
    """Return the token among the sub-protocols that the client offers.

    Raises:
        InvalidConfig: it offers sub-protocols, and ours is not among them.

    """
    header = request.headers.get("Sec-WebSocket-Protocol")
    if header is None:
        return None
    offered = [name.strip() for name in header.split(",")]
    if SUBPROTOCOL not in offered:
        raise InvalidConfig("media", f"offer the websocket sub-protocol {SUBPROTOCOL}")
    return next((name.removeprefix(TOKEN_PREFIX) for name in offered if name.startswith(TOKEN_PREFIX)), None)


async def receive(ws: CallerSocket) -> bytes | ClientMessage:
    """Return the caller's next message: audio as bytes, text parsed; raises as ``understood``."""
    message = await ws.receive()
    return bytes(message.data) if message.type is WSMsgType.BINARY else understood(message)


def understood(message: WSMessage) -> ClientMessage:
    """Return what a message says that is not audio.

    Raises:
        CallerGone: the socket closed.
        InvalidFormat: the message is not of the protocol.

    """
    if message.type is WSMsgType.TEXT:
        return parse_client(message.data)
    raise CallerGone(int(message.data or 0) if message.type is WSMsgType.CLOSE else None)


async def shake_hands(
    ws: CallerSocket, session_id: str, token: str | None, tokens: Tokens, store: SessionStore
) -> Handshake:
    """Hear the caller out until its ``start``.

    Raises:
        AuthenticationFailed: the token is missing or not good for this session.
        SessionNotFound, SessionNotActive: there is no such session, or it is over; why it failed, if it did.
        InvalidFormat: something else came where ``auth`` or ``start`` was due, or the encoding cannot have this rate.
        InvalidConfig: the encoding needs an extra that is not installed here.
        OperationTimeout: they did not come in time.
        CallerGone: the socket closed.

    """
    try:
        async with asyncio.timeout(START_S):
            claims = await _authenticate(ws, session_id, token, tokens)
            record = await store.get(session_id, claims.tenant)
            if is_over(record.state):
                raise why_over(record)
            start = await receive(ws)
    except TimeoutError as error:
        raise OperationTimeout("media", f"no start message within {START_S:g} s") from error
    if not isinstance(start, Start):
        raise InvalidFormat("media", 'send {"type":"start","sample_rate":...} before anything else')
    codec = await asyncio.to_thread(open_codec, start.encoding, start.sample_rate)  # may load a library
    return Handshake(claims=claims, record=record, codec=codec)


def why_over(record: SessionRecord) -> VoiceBackendError:
    """Return the error that a caller of a session gets that is over: why it failed, if it did."""
    if record.state is SessionState.FAILED and record.reason:
        return from_code(record.reason, "media")
    return SessionNotActive("media", f"the session is {record.state}")


async def _authenticate(ws: CallerSocket, session_id: str, token: str | None, tokens: Tokens) -> Claims:
    if token is not None:
        return await tokens.check(token, Audience.MEDIA, session_id)
    auth = await receive(ws)
    if isinstance(auth, Auth) and auth.resume:
        return await tokens.check(auth.resume, Audience.RESUME, session_id)
    if isinstance(auth, Auth) and auth.token:
        return await tokens.check(auth.token, Audience.MEDIA, session_id)
    raise AuthenticationFailed("media", "send a token as a sub-protocol, or in a first auth message")
