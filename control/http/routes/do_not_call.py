"""``/v1/do-not-call/{number}``: numbers that the tenant may not call."""

from __future__ import annotations

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from control.http.bodies import read_model
from control.http.routes.sessions import answer
from control.http.routing import Route
from control.services import PRINCIPAL, SERVICES
from control.telephony.outbound.do_not_call import DoNotCall
from voicebackend.calls import E164, Listed, ListedReason
from voicebackend.errors import ErrorCode, InvalidConfig

_OP = "do_not_call"
_NUMBER: TypeAdapter[str] = TypeAdapter(E164)


def _number(request: web.Request) -> str:
    try:
        return _NUMBER.validate_python(request.match_info["number"])
    except ValidationError as error:
        message = "number: in international form, as +14155550123"
        raise InvalidConfig(_OP, message, details={"field": "number"}) from error


def _list(request: web.Request) -> tuple[DoNotCall, str]:
    services = request.app[SERVICES]
    return DoNotCall(services.state, services.keys), request[PRINCIPAL].tenant


async def put(request: web.Request) -> web.Response:
    """Put a number on the list; one that is there keeps its date."""
    listed, tenant = _list(request)
    number = _number(request)
    wanted = await read_model(request, ListedReason, op=_OP) if request.can_read_body else ListedReason()
    return answer(await listed.put(tenant, number, wanted.reason))


async def get(request: web.Request) -> web.Response:
    """Return since when a number is on the list."""
    listed, tenant = _list(request)
    return answer(await listed.get(tenant, _number(request)))


async def delete(request: web.Request) -> web.Response:
    """Take a number off the list."""
    listed, tenant = _list(request)
    await listed.remove(tenant, _number(request))
    return web.Response(status=204)


_PATH = "/v1/do-not-call/{number}"
_E = ErrorCode
ROUTES = [
    Route(
        method="PUT",
        path=_PATH,
        operation="do_not_call.put",
        handler=put,
        about="Put a number on the tenant's do-not-call list; planned calls to it are not made",
        body=ListedReason,
        answers={200: Listed},
        errors=(_E.INVALID_CONFIG, _E.INVALID_FORMAT, _E.CONNECTION_FAILED),
    ),
    Route(
        method="GET",
        path=_PATH,
        operation="do_not_call.get",
        handler=get,
        about="Read since when a number is on the list",
        answers={200: Listed},
        errors=(_E.INVALID_CONFIG, _E.SESSION_NOT_FOUND),
    ),
    Route(
        method="DELETE",
        path=_PATH,
        operation="do_not_call.delete",
        handler=delete,
        about="Take a number off the list",
        answers={204: None},
        errors=(_E.INVALID_CONFIG, _E.CONNECTION_FAILED),
    ),
]
