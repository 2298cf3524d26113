"""What the three web apps share: opening a session in one call, two ways; webhooks taken once; what was said.

Not a framework: copy what you need. What is kept in a dictionary here belongs into your database.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

from celery import Celery

from voicebackend import BackendConfig, SessionConfig, VoiceBackend
from voicebackend.errors import SessionNotFound
from voicebackend.webhooks import Event, verify

AGENT = os.environ.get("VOICEBACKEND_AGENT", "echo")
_owners: dict[str, str] = {}
"""Whose each call is."""

# 1. By a task. A web app that has the broker needs nothing of ours for this: neither package nor API key.

queue = Celery("web-app", broker=os.environ.get("VOICEBACKEND_BROKER_URL", "redis://127.0.0.1:6379/0"))
queue.conf.update(task_ignore_result=True, broker_transport_options={"global_keyprefix": "vb:"})


def open_by_task(user_id: str) -> str:
    """Enqueue a session and return its id, which we choose; ``session.started`` or ``session.ended`` will follow."""
    session_id = uuid.uuid4().hex
    _owners[session_id] = user_id
    order = {"session_id": session_id, "user_id": user_id, "agent": AGENT, "max_wait": 60}
    queue.send_task("sessions.open", kwargs=order, queue="sessions", expires=300)
    return session_id


# 2. By the typed client: refused requests raise, and the answer has the caller's token.


def backend() -> VoiceBackend:
    """Return a client of the deployment at VOICEBACKEND_CONTROL_URL, with VOICEBACKEND_API_KEY."""
    url = os.environ.get("VOICEBACKEND_CONTROL_URL", "http://127.0.0.1:8080")
    return VoiceBackend(BackendConfig(), control_url=url)


async def open_by_client(user_id: str) -> str:
    """Create a session, or a place in the queue for one, and return its id."""
    async with backend() as voice:
        wanted = SessionConfig(user_id=user_id, transport="websocket", agent=AGENT)
        session_id = (await voice.sessions.enqueue(wanted, max_wait_s=60)).id
    _owners[session_id] = user_id
    return session_id


def check_owner(session_id: str, user_id: str) -> None:
    """Raise SessionNotFound, a 404, unless the call is this user's: ask it before anything of a call is shown."""
    if _owners.get(session_id) != user_id:
        raise SessionNotFound("calls", "there is no such call")


async def ticket(session_id: str) -> dict[str, Any]:
    """Return ``connect_url`` and ``token`` for the browser of the session's caller: it never sees our API key."""
    async with backend() as voice:
        return (await voice.sessions.ticket(session_id)).model_dump()


async def transcript(session_id: str) -> list[tuple[str, str]]:
    """Return who said what."""
    async with backend() as voice:
        told = await voice.sessions.transcript(session_id)
    return [(segment.role, segment.text) for segment in told.segments]


# 3. Webhooks: proven, then acted on once.

SECRETS = [secret for secret in os.environ.get("WEBHOOK_SECRETS", "").split(",") if secret]
"""Of our endpoint; two while the secret is being replaced."""
_seen: dict[str, Event] = {}


def take(headers: Any, body: bytes) -> None:
    """Take a webhook; raises AuthenticationFailed or InvalidFormat. One that comes again changes nothing."""
    event = verify(headers, body, SECRETS)
    _seen.setdefault(event.id, event)  # in a database: INSERT … ON CONFLICT (id) DO NOTHING


def events_of(session_id: str) -> list[str]:
    """Return what happened in a session, by when it happened: webhooks may come in another order."""
    mine = [event for event in _seen.values() if event.session_id == session_id]
    return [event.type for event in sorted(mine, key=lambda event: event.created_at)]
