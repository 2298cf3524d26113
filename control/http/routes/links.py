"""``/v1/records/{id}/link`` and ``/v1/links/{id}``: a record for somebody without a key, for a limited time.

The token stands in the query, which is in no log, span or error of ours. What was deleted is gone by its links at once.
"""

from __future__ import annotations

import time

from aiohttp import web

from control.access.links import Link
from control.http.bodies import read_model
from control.http.doer import doer
from control.http.problems import MEDIA_TYPE, problem
from control.http.record_answer import ANSWERS, cabinet_of, record_answer, stored
from control.http.routes.sessions import answer
from control.http.routing import Parameter, Route
from control.records.audit import Action
from control.services import PRINCIPAL, SERVICES
from voicebackend.errors import ErrorCode, SessionNotFound
from voicebackend.retention import LinkIssued, LinkRequest

GONE = 410


async def issue(request: web.Request) -> web.Response:
    """Give out a link to a record."""
    services, principal, cabinet = request.app[SERVICES], request[PRINCIPAL], cabinet_of(request)
    wanted = await read_model(request, LinkRequest, op="links") if request.can_read_body else LinkRequest()
    entry = await stored(cabinet, request.match_info["record_id"], principal.tenant)
    if entry is None:
        raise SessionNotFound("links", "there is no such record")
    link = Link.to(entry.id, entry.tenant, int(time.time()) + wanted.expires_in)
    by = doer(services, principal)
    await cabinet.audit.note(link.tenant, by=by, action=Action.LINK_ISSUED, about=_named(link))
    url = f"{services.deployment.base_url}/v1/links/{link.record}?token={services.tokens.links.sign(link)}"
    return answer(LinkIssued(id=link.id, url=url, expires_at=link.expires_at), status=201)


async def follow(request: web.Request) -> web.Response:
    """Return what a link leads to."""
    cabinet = cabinet_of(request)
    link = request.app[SERVICES].tokens.links.check(request.query.get("token", ""), request.match_info["record_id"])
    if link.expires_at <= time.time():
        return _gone(request, "the link has expired: ask for a new one")
    entry = await stored(cabinet, link.record, link.tenant)
    if entry is None:
        return _gone(request, "what the link led to was deleted")
    await cabinet.audit.note(link.tenant, by=f"link-{link.id}", action=Action.LINK_USED, about=entry.id)
    return await record_answer(request, cabinet, entry) or _gone(request, "what the link led to was deleted")


def _named(link: Link) -> str:
    """Return what the audit says of a new link; who uses it is ``link-<id>`` there."""
    return f"{link.record} link-{link.id}"


def _gone(request: web.Request, message: str) -> web.Response:
    return problem(SessionNotFound("links", message), instance=request.path, status=GONE)


_E = ErrorCode
ROUTES = [
    Route(
        method="POST",
        path="/v1/records/{record_id}/link",
        operation="links.issue",
        handler=issue,
        about="Give out a link that opens an object without a key, for a limited time",
        body=LinkRequest,
        answers={201: LinkIssued},
        errors=(_E.INVALID_CONFIG, _E.INVALID_FORMAT, _E.SESSION_NOT_FOUND, _E.CONNECTION_FAILED),
    ),
    Route(
        method="GET",
        path="/v1/links/{record_id}",
        operation="links.follow",
        handler=follow,
        about="Read an object, or a range of its bytes, by a link: 403 if it is none of ours, 410 if it has expired",
        answers={**ANSWERS, 410: MEDIA_TYPE},
        errors=(_E.INVALID_CONFIG, _E.AUTHORIZATION_FAILED, _E.CONNECTION_FAILED),
        parameters=(
            Parameter(name="token", about="the link's signature"),
            Parameter(name="Range", about="`bytes=first-last`", location="header"),
        ),
        public=True,
    ),
]
