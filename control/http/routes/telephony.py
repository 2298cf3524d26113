"""``/v1/telephony/sip``: SIP messages, answered by the deployment's TelephonyHook."""

from __future__ import annotations

from aiohttp import web

from control.http.bodies import read_bytes
from control.http.routing import Route
from control.services import SERVICES
from voicebackend.errors import ConnectionFailed, ErrorCode, InvalidConfig
from voicebackend.hooks import HookFailed, ask

MAX_SIP = 64 * 1024
"""Bytes in a SIP message."""
MEDIA_TYPE = "application/sip"


async def sip(request: web.Request) -> web.Response:
    """Hand a SIP message to the hook and return its answer; 204 if it has none."""
    hook = request.app[SERVICES].hooks.find("telephony_hook")
    if hook is None:
        raise InvalidConfig("handle_sip", "telephony_hook: none is configured", details={"field": "telephony_hook"})
    message = await read_bytes(request, MAX_SIP)
    about = {"remote": request.remote or "", "content_type": request.content_type}
    try:
        reply = await ask(lambda: hook.handle_sip(message, about), hook="telephony_hook.handle_sip", expected=bytes)
    except HookFailed as error:
        raise ConnectionFailed("handle_sip", "the telephony hook did not answer") from error
    return web.Response(body=reply, content_type=MEDIA_TYPE) if reply else web.Response(status=204)


ROUTES = [
    Route(
        method="POST",
        path="/v1/telephony/sip",
        operation="telephony.sip",
        handler=sip,
        about="Hand a SIP message of at most 64 KiB to the telephony hook",
        body=MEDIA_TYPE,
        answers={200: MEDIA_TYPE, 204: None},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT, ErrorCode.CONNECTION_FAILED),
    ),
]
