"""``/v1/calls``: plan calls that we make, list and read them, and call them off."""

from __future__ import annotations

import asyncio
import re
import time

from aiohttp import web

from control.http.bodies import read_model, whole_number
from control.http.routes.sessions import PAGED, answer
from control.http.routing import Parameter, Route
from control.services import PRINCIPAL, SERVICES, Services
from control.telephony.outbound import consent, plan
from control.telephony.outbound.book import MAX_PAGE, CallBook
from control.telephony.outbound.do_not_call import DoNotCall
from control.telephony.outbound.planning import digest_of, new_call
from voicebackend.calls import CallPage, CallRequest, CallView
from voicebackend.consent import Consent
from voicebackend.errors import AuthorizationFailed, ErrorCode, InvalidConfig, SessionNotFound

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_CREATE = "create_call"


def book_of(services: Services) -> CallBook:
    """Return the book of calls."""
    return CallBook(services.state, services.keys)


async def create(request: web.Request) -> web.Response:
    """Plan a call; with an ``Idempotency-Key`` that was used before, answer with the call that it made."""
    services, tenant = request.app[SERVICES], request[PRINCIPAL].tenant
    key = _idempotency_key(request)
    wanted = await read_model(request, CallRequest, op=_CREATE)
    call = await asyncio.to_thread(new_call, wanted, tenant, await services.outbound.now())
    if await DoNotCall(services.state, services.keys).has(tenant, wanted.to):
        raise AuthorizationFailed(_CREATE, "to: this number is on the do-not-call list", details={"field": "to"})
    made = await book_of(services).create(call, key=key, digest=digest_of(wanted))
    status = 201 if made.id == call.id else 200
    return answer(made.view(time.time()), status=status, headers={"Location": f"/v1/calls/{made.id}"})


def _idempotency_key(request: web.Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if key and not _KEY.fullmatch(key):
        message = "Idempotency-Key: 1 to 128 visible characters"
        raise InvalidConfig(_CREATE, message, details={"field": "Idempotency-Key"})
    return key


async def list_(request: web.Request) -> web.Response:
    """List the tenant's calls, newest first."""
    limit, now = whole_number(request, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE), time.time()
    book = book_of(request.app[SERVICES])
    calls = await book.page(request[PRINCIPAL].tenant, limit=limit, cursor=request.query.get("cursor", ""))
    cursor = calls[-1].id if len(calls) == limit else None
    return answer(CallPage(calls=[call.view(now) for call in calls], cursor=cursor))


async def get(request: web.Request) -> web.Response:
    """Return a call with its attempts."""
    book = book_of(request.app[SERVICES])
    return answer((await book.get(request.match_info["call_id"], request[PRINCIPAL].tenant)).view(time.time()))


async def cancel(request: web.Request) -> web.Response:
    """Call a call off: one that is planned at once, one in flight within seconds; one that is over is fine."""
    book = book_of(request.app[SERVICES])
    call = await book.get(request.match_info["call_id"], request[PRINCIPAL].tenant)
    changed = await book.change(call.id, lambda found: plan.cancelled(found, time.time()))
    if changed is None:
        return web.Response(status=204)
    return answer(changed.view(time.time()), status=202)


async def consent_of(request: web.Request) -> web.Response:
    """Return the consent to a call, also when the call's record has expired."""
    services, tenant = request.app[SERVICES], request[PRINCIPAL].tenant
    found = await consent.find(services.state, services.keys, request.match_info["call_id"], tenant)
    if found is None:
        raise SessionNotFound("get_consent", "there is no consent to such a call")
    return answer(Consent.model_validate({name: found[name] for name in Consent.model_fields if name in found}))


_E = ErrorCode
ROUTES = [
    Route(
        method="POST",
        path="/v1/calls",
        operation="calls.create",
        handler=create,
        about="Call a number, now or later: 200 instead of 201 if the Idempotency-Key was used for the same before",
        body=CallRequest,
        answers={201: CallView, 200: CallView},
        errors=(
            *(_E.INVALID_CONFIG, _E.INVALID_FORMAT, _E.AUTHORIZATION_FAILED, _E.SESSION_ALREADY_ACTIVE),
            *(_E.RATE_LIMIT_EXCEEDED, _E.CONNECTION_FAILED),
        ),
        parameters=(Parameter(name="Idempotency-Key", about="1 to 128 characters, for a day", location="header"),),
    ),
    Route(
        method="GET",
        path="/v1/calls",
        operation="calls.list",
        handler=list_,
        about="List calls that we make, newest first",
        answers={200: CallPage},
        errors=(_E.INVALID_CONFIG,),
        parameters=PAGED,
    ),
    Route(
        method="GET",
        path="/v1/calls/{call_id}",
        operation="calls.get",
        handler=get,
        about="Read a call with its attempts",
        answers={200: CallView},
        errors=(_E.SESSION_NOT_FOUND,),
    ),
    Route(
        method="DELETE",
        path="/v1/calls/{call_id}",
        operation="calls.cancel",
        handler=cancel,
        about="Call a call off: 202, or 204 when it is over",
        answers={202: CallView, 204: None},
        errors=(_E.SESSION_NOT_FOUND, _E.CONNECTION_FAILED),
    ),
    Route(
        method="GET",
        path="/v1/calls/{call_id}/consent",
        operation="calls.consent",
        handler=consent_of,
        about="Read the consent to a call, for five years",
        answers={200: Consent},
        errors=(_E.SESSION_NOT_FOUND,),
    ),
]
