"""What every carrier's webhook has in common: which trunk it is for, whether it is genuine, and how it is answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from control.access.tickets import ticket_for
from control.http.bodies import read_bytes
from control.services import SERVICES, Services
from control.telephony.carriers.carrier import Reply, Told
from control.telephony.replays import is_replay
from control.telephony.streams.ticket_socket import TICKETS
from control.telephony.switchboard import Line, Switchboard
from voicebackend.errors import (
    AuthorizationFailed,
    InvalidFormat,
    SessionAlreadyActive,
    SessionNotActive,
    SessionNotFound,
)

MAX_BODY = 64 * 1024
"""Bytes in a webhook."""
MAX_FIELDS = 500
"""Fields in its form."""
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One that its carrier has signed."""

    switchboard: Switchboard
    line: Line
    told: Told


async def signed(request: web.Request, op: str) -> Webhook:
    """Return a webhook of the trunk in the path, which may have been sent before; Redis is not asked.

    Raises:
        SessionNotFound: there is no such trunk.
        AuthorizationFailed: its signature is missing or not good.
        InvalidFormat: its form is too long.

    """
    services = request.app[SERVICES]
    switchboard = services.switchboard
    line = None if switchboard is None else switchboard.lines.get(request.match_info["trunk"])
    if switchboard is None or line is None:
        raise SessionNotFound(op, "there is no such trunk: see VOICEBACKEND_TELEPHONY")
    told = await _told(services, request, op)
    if not line.carrier.is_genuine(told, line.secret, now=time.time()):
        raise AuthorizationFailed(op, "the signature is missing or not good")
    return Webhook(switchboard=switchboard, line=line, told=told)


async def refuse_old(services: Services, webhook: Webhook, op: str) -> None:
    """Refuse a webhook whose signature has no time and was used before.

    Raises:
        AuthorizationFailed: that is too long ago for a carrier that sends it again.

    """
    line, once = webhook.line, webhook.line.carrier.once(webhook.told)
    if once and await is_replay(services.state, services.keys, trunk=line.name, signature=once):
        raise AuthorizationFailed(op, "the webhook was sent before, too long ago to be sent again")


@contextmanager
def refusing_replays(op: str) -> Iterator[None]:
    """Answer 403 where the call of a webhook has had its caller: who sends it again gets nothing.

    Raises:
        AuthorizationFailed: in the place of SessionAlreadyActive and SessionNotActive.

    """
    try:
        yield
    except (SessionAlreadyActive, SessionNotActive) as error:
        message = "the webhook was sent before: its call has its caller, or is over"
        raise AuthorizationFailed(op, message) from error


async def connected(services: Services, line: Line, session: str, tenant: str) -> web.Response:
    """Return what has the carrier stream a call to its session, with a token that is good once."""
    token, carrier = services.tokens.issue(session, tenant), line.carrier
    if carrier.name in TICKETS:
        token = await ticket_for(services.state, services.keys, token)
    return response(carrier.connect(services.stream_url(carrier.name, session), token))


def response(reply: Reply) -> web.Response:
    """Return an answer in the carrier's language."""
    return web.Response(body=reply.body, content_type=reply.content_type)


async def _told(services: Services, request: web.Request, op: str) -> Told:
    body = await read_bytes(request, MAX_BODY)
    text = body.decode("utf-8", "replace") if request.content_type == FORM else ""
    try:
        form = tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise InvalidFormat(op, f"the form has more than {MAX_FIELDS} fields") from error
    return Told(
        method=request.method,
        url=services.deployment.base_url + request.path_qs,
        headers=request.headers,
        form=form,
        body=body,
    )
