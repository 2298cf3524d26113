"""``/v1/sessions/{id}/transfer``: hand a call over to a person; and the carrier's word when it comes back."""

from __future__ import annotations

from aiohttp import web

from control.http.announcing import announce
from control.http.bodies import read_model
from control.http.carrier_webhooks import FORM, Webhook, connected, response
from control.http.routes.sessions import answer, session_of
from control.http.routing import Route
from control.http.schemas import Transfer, Transferred
from control.http.webhook_time import in_time
from control.services import SERVICES
from control.telephony.carriers.carrier import document
from control.telephony.carriers.fields import once
from voicebackend.errors import AuthorizationFailed, ErrorCode
from voicebackend.session import is_over

_OP = "transfer"
_TAKEN = frozenset({"completed", "answered"})
"""What ``DialCallStatus`` is when somebody took the call, and all has been said."""


async def transfer(request: web.Request) -> web.Response:
    """Hand the call over now, whoever speaks."""
    wanted = await read_model(request, Transfer, op=_OP)
    record = await session_of(request)
    await request.app[SERVICES].handover.begin(record, wanted.to, sorry=wanted.sorry)
    return answer(Transferred(to=wanted.to))


async def back(request: web.Request) -> web.Response:
    """Say how a call goes on that was handed over: over, where somebody took it; else with its agent again."""

    async def told(webhook: Webhook, until: float) -> web.Response:
        del until  # nothing goes on beside: what is here, is soon done
        return await _back(request, webhook)

    return await in_time(request, _OP, told)


async def _back(request: web.Request, webhook: Webhook) -> web.Response:
    services = request.app[SERVICES]
    form = once(webhook.told.form, ("CallSid", "DialCallStatus"), webhook.line.carrier.name)
    record = await services.store.get(request.match_info["session_id"], webhook.line.tenant)
    if record.metadata.get("call_id") != form.get("CallSid"):
        raise AuthorizationFailed(_OP, "the session is another call's")
    if form.get("DialCallStatus") in _TAKEN:
        await services.handover.over(record.id)
        return response(document())
    sorry = None if is_over(record.state) else await services.handover.back(record.id)
    if sorry is None:
        return response(document())
    announce(services, record, sorry)
    return await connected(services, webhook.line, record.id, record.tenant)


_E = ErrorCode
ROUTES = [
    Route(
        method="POST",
        path="/v1/sessions/{session_id}/transfer",
        operation="sessions.transfer",
        handler=transfer,
        about="Hand a telephone call over to one of the numbers that its trunk allows; the call goes on if that fails",
        body=Transfer,
        answers={200: Transferred},
        errors=(
            *(_E.INVALID_CONFIG, _E.INVALID_FORMAT, _E.AUTHORIZATION_FAILED, _E.SESSION_NOT_FOUND),
            *(_E.SESSION_NOT_ACTIVE, _E.CONNECTION_FAILED, _E.CONNECTION_TIMEOUT, _E.RATE_LIMIT_EXCEEDED),
        ),
    ),
    Route(
        method="POST",
        path="/v1/telephony/{trunk}/sessions/{session_id}/back",
        operation="telephony.back",
        handler=back,
        about="A carrier's webhook: whom a call was handed over to has gone, or never came; signed by the carrier",
        answers={200: "application/xml"},
        errors=(_E.AUTHORIZATION_FAILED, _E.INVALID_FORMAT, _E.SESSION_NOT_FOUND, _E.CONNECTION_FAILED),
        body=FORM,
        public=True,
    ),
]
