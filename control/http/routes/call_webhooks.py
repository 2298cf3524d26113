"""``/v1/telephony/{trunk}/calls/{call}/…``: a carrier's word on a call that we make: answered, or how far it is."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from control.http.answered_calls import answered, called, heard
from control.http.answering_machines import deal
from control.http.call_placing import Taken
from control.http.carrier_webhooks import FORM, Webhook, connected, refuse_old, refusing_replays, response, signed
from control.http.finished_by import finished_by
from control.http.routing import Parameter, Route
from control.http.webhook_time import AGAIN, ANSWER_S, in_time
from control.services import SERVICES, Services
from control.telephony.carriers.carrier import document, element
from control.telephony.outbound.carrier import Outcome
from control.telephony.outbound.carriers.twilio_status import greeting_is_over, status_of
from control.telephony.outbound.line import OutboundLine
from voicebackend.errors import ErrorCode, InvalidFormat, SessionNotFound

_ANSWERED, _STATUS = "answered_call", "call_status"
_MAX_ATTEMPT = 99
_HANG_UP = document(element("Hangup"))
"""What ends a call that was answered, in Twilio's language."""


async def answer(request: web.Request) -> web.Response:
    """Say where the media of a call goes that was answered; asked again, say the same."""
    services, call_id = request.app[SERVICES], request.match_info["call_id"]

    async def taken(webhook: Webhook, until: float) -> web.Response:
        line = await _line(services, webhook, _ANSWERED)
        attempt = _attempt(request, _ANSWERED)
        status = status_of(webhook.told, call_id, attempt, now=time.time())
        sid = dict(webhook.told.form).get("CallSid", "")
        call = await called(services, line, call_id, attempt, sid)
        if status is not None and status.outcome in {Outcome.ANSWERED, Outcome.MACHINE}:
            await heard(services, line, status)
        with refusing_replays(_ANSWERED):
            found = await answered(services, line, call, attempt, sid, until=until)
        if isinstance(found, Taken):
            return await connected(services, webhook.line, found.session, found.tenant)
        return response(_HANG_UP)

    return await in_time(request, _ANSWERED, taken, busy=_HANG_UP)


async def status(request: web.Request) -> web.Response:
    """Note how far a call is; the same word twice, or late, changes nothing."""
    services, until = request.app[SERVICES], asyncio.get_running_loop().time() + ANSWER_S
    webhook, attempt = await signed(request, _STATUS), _attempt(request, _STATUS)
    work = _noted(services, webhook, request.match_info["call_id"], attempt)
    noting = await finished_by(services.background, until, work, name=_STATUS)
    if noting is not None:
        noting.result()
    return web.Response(status=204)


async def _noted(services: Services, webhook: Webhook, call_id: str, attempt: int) -> None:
    """Note what a carrier says of an attempt, and deal with a machine."""
    await refuse_old(services, webhook, _STATUS)
    line = await _line(services, webhook, _STATUS)
    found = status_of(webhook.told, call_id, attempt, now=time.time())
    if found is None:
        return
    call = await called(services, line, found.call, attempt, found.carrier_call_id)
    noted = await heard(services, line, found)
    if found.outcome is Outcome.MACHINE and call.current is not None:
        deal(services, line, noted or call, greeting_over=greeting_is_over(webhook.told))


async def _line(services: Services, webhook: Webhook, op: str) -> OutboundLine:
    line = (await services.outbound.now()).get(webhook.line.name)
    if line is None or line.kind != "twilio":
        raise SessionNotFound(op, "this trunk makes no calls that are told of here")
    return line


def _attempt(request: web.Request, op: str) -> int:
    text = request.query.get("attempt", "")
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:3]) <= _MAX_ATTEMPT):
        raise InvalidFormat(op, "attempt: which one it is, from 1")
    return int(text)


_E = ErrorCode
_ERRORS = (_E.AUTHORIZATION_FAILED, _E.INVALID_FORMAT, _E.SESSION_NOT_FOUND, _E.CONNECTION_FAILED)
_WHICH = (
    Parameter(name="attempt", about="which attempt at the call, from 1", type="integer"),
    Parameter(name=AGAIN, about="how often the carrier was told to ask again", type="integer"),
)
ROUTES = [
    Route(
        method="POST",
        path="/v1/telephony/{trunk}/calls/{call_id}/answered",
        operation="telephony.answered",
        handler=answer,
        about="A carrier's webhook for a call of ours that was answered; signed by the carrier, answered as it wants",
        answers={200: "application/xml"},
        errors=(*_ERRORS, _E.SESSION_ALREADY_ACTIVE, _E.SESSION_LIMIT_EXCEEDED, _E.SESSION_NOT_ACTIVE),
        body=FORM,
        parameters=_WHICH,
        public=True,
    ),
    Route(
        method="POST",
        path="/v1/telephony/{trunk}/calls/{call_id}/status",
        operation="telephony.status",
        handler=status,
        about="A carrier's webhook that says how far a call of ours is, and who answered; signed by the carrier",
        answers={204: None},
        errors=_ERRORS,
        body=FORM,
        parameters=_WHICH,
        public=True,
    ),
]
