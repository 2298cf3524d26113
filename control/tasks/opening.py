"""``sessions.open``: a session made for an application that has the broker and nothing else of ours.

Whoever may write to the broker may open sessions of every tenant; what they may cost, limits and hooks decide as over
HTTP. The application chooses the session's id, so that it knows it before anybody has answered.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from control import context, loop
from control.access.principal import OPERATOR, Principal
from control.context import TaskContext
from control.http.creation import create_session
from control.tasks.session_services import session_services
from voicebackend._redis import redis_errors
from voicebackend.channel import Sender
from voicebackend.config import parse
from voicebackend.errors import InvalidConfig, SessionAlreadyActive, SessionNotFound
from voicebackend.session import SessionRequest, SessionState, Transport
from voicebackend.webhooks import EventType

logger = logging.getLogger(__name__)

TIMEOUT_S = 20.0
"""Seconds for one session."""
OP = "sessions.open"
_ID = re.compile(r"[0-9a-f]{32}")
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def open_session(session_id: str, user_id: str, **fields: Any) -> None:
    """Make a session of this id, as ``POST /v1/sessions`` would, unless there is one already.

    ``session_id`` is 32 hex digits, a fresh ``uuid.uuid4().hex``. ``fields`` are ``agent``, ``provider``,
    ``transport`` (``websocket`` unless given), ``pipeline_type``, ``tenant`` (``default``) and ``max_wait``: seconds to
    wait for a slot. No metadata: arguments of tasks are ids. One that cannot be had, however often this was tried, is
    told of by :func:`not_opened`.
    """
    loop.run(make_session(context.current(), session_id, user_id, fields), TIMEOUT_S)


def not_opened(code: str, session_id: str = "", tenant: str = OPERATOR, **fields: Any) -> None:
    """Tell of a session that cannot be had by the webhook ``session.ended`` with ``state`` ``failed``."""
    del fields
    loop.run(tell_failed(context.current(), code, str(session_id), str(tenant)), TIMEOUT_S)


async def make_session(shared: TaskContext, session_id: str, user_id: str, fields: dict[str, Any]) -> None:
    """Make a session; see :func:`open_session`. Raises what making it raises."""
    tenant = str(fields.pop("tenant", OPERATOR))
    if not (_ID.fullmatch(str(session_id)) and _TENANT.fullmatch(tenant)):
        raise InvalidConfig(OP, "session_id: 32 hex digits; tenant: 1 to 64 letters, digits, ._-")
    if await _is_there(shared, session_id):
        logger.info("session is open already", extra={"session_id": session_id})
        return
    try:
        request = _request(user_id, fields)
        sender = Sender(shared.wire)
        services = await session_services(shared, sender)
        await create_session(services, Principal(tenant=tenant, user_id=OP), request, session_id=session_id)
        with redis_errors(OP):
            await sender.flush()
    except SessionAlreadyActive:
        logger.info("session is open already", extra={"session_id": session_id})


async def tell_failed(shared: TaskContext, code: str, session_id: str, tenant: str) -> None:
    """Tell that a session cannot be had, for this reason; not of one that is there, whose own end is told."""
    if not (_ID.fullmatch(session_id) and _TENANT.fullmatch(tenant)) or await _is_there(shared, session_id):
        return
    told = {"state": SessionState.FAILED.value, "reason": code}
    await shared.outbox.put(EventType.SESSION_ENDED, tenant=tenant, session=session_id, data=told)


async def _is_there(shared: TaskContext, session_id: str) -> bool:
    """Tell whether there is a session of this id, over or not."""
    try:
        await shared.store.get(session_id)
    except SessionNotFound:
        return False
    return True


def _request(user_id: str, fields: dict[str, Any]) -> SessionRequest:
    """Return what is asked for; raises InvalidConfig naming the field that is wrong."""
    allowed = {"agent", "provider", "transport", "pipeline_type", "max_wait"}
    if unknown := sorted(fields.keys() - allowed):
        raise InvalidConfig(OP, f"{unknown[0]}: not known", details={"field": unknown[0]})
    max_wait = fields.pop("max_wait", None)
    queue = {} if max_wait is None else {"queue": {"max_wait": max_wait}}
    request = parse(SessionRequest, {"user_id": user_id, "transport": "websocket", **fields, **queue}, op=OP)
    if request.transport is Transport.TELEPHONY:
        message = "transport: websocket or webrtc; telephone calls are made by POST /v1/calls"
        raise InvalidConfig(OP, message, details={"field": "transport"})
    return request
