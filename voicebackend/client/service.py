"""What can be done with sessions over HTTP, and how an agent gets a name that servers can find it by."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from voicebackend.agents import AGENTS
from voicebackend.client.http import HttpApi
from voicebackend.client.local_agent import LocalAgent
from voicebackend.client.media import MediaListener, MediaSocket, Ticket
from voicebackend.config import BackendConfig, parse
from voicebackend.errors import InvalidConfig
from voicebackend.remote import Objects
from voicebackend.retry import RetryPolicy
from voicebackend.session import Health, PersistenceStatus, SessionConfig, SessionCreated, SessionRequest, SessionView

READY_S = 5
"""Seconds that creating a session waits for it to be ready."""


class _Page(BaseModel):
    sessions: list[SessionView]
    cursor: str | None = None


class _Readiness(BaseModel):
    status: Health


class SessionService:
    """One deployment's sessions. ``objects`` is given where servers can call objects of this process."""

    def __init__(self, api: HttpApi, config: BackendConfig, objects: Objects | None) -> None:
        self._api, self._objects = api, objects
        self._timeout_s = config.timeout.total_seconds()

    async def create(
        self, config: SessionConfig, defaults: BackendConfig, *, wait_for_rate_limit: bool = False
    ) -> tuple[SessionCreated, str]:
        """Create a session; return it and the reference to its agent, empty if that is no object of ours."""
        agent = self.agent_name(callback=config.agent_callback, agent=config.agent)
        shared = set(SessionRequest.model_fields) & set(SessionConfig.model_fields) - {"agent"}
        fields = config.model_dump(mode="json", exclude_none=True, include=shared)
        pipeline_type = config.pipeline_type or defaults.pipeline_type
        request = parse(
            SessionRequest,
            {**fields, "pipeline_type": pipeline_type, "provider": defaults.provider or None, "agent": agent or None},
            op="create_session",
        )
        headers = {"Prefer": f"wait={READY_S}" + (", rate-limit=wait" if wait_for_rate_limit else "")}
        body = request.model_dump(mode="json", exclude_none=True)
        try:
            told = await self._api.send("create_session", "POST", "/v1/sessions", body=body, headers=headers)
        except BaseException:
            self.forget_agent(agent)
            raise
        return SessionCreated.model_validate(told), agent

    async def get(self, session_id: str) -> SessionView:
        """Return a session as it is now."""
        return await self._api.get("get_session", _path(session_id), SessionView)

    async def live(self) -> list[SessionView]:
        """Return every session that is not over, newest first."""
        views: list[SessionView] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await self._api.get("list_sessions", f"/v1/sessions?cursor={quote(cursor)}", _Page)
            views += page.sessions
            cursor = page.cursor
        return [view for view in views if view.persistence_status is PersistenceStatus.ACTIVE]

    async def close(self, session_id: str) -> None:
        """End a session, whoever is connected."""
        await self._api.send("close_session", "DELETE", _path(session_id))

    async def update(self, op: str, session_id: str, **changes: Any) -> SessionView:
        """Change a session's metadata or agent."""
        told = await self._api.send(op, "PATCH", _path(session_id), body=changes)
        return SessionView.model_validate(told)

    async def play(self, session_id: str, pcm: bytes, sample_rate: int) -> None:
        """Play audio to the session's caller."""
        path = f"{_path(session_id)}/audio?sample_rate={sample_rate}"
        await self._api.send("send_audio", "POST", path, body=pcm)

    async def connect(self, session_id: str, listener: MediaListener, sample_rate: int) -> MediaSocket:
        """Open the caller's socket with a fresh token."""

        async def ticket() -> Ticket:
            told = await self._api.send("start", "POST", f"{_path(session_id)}/token")
            return Ticket.model_validate(told)

        socket = MediaSocket(
            self._api.client, ticket, sample_rate=sample_rate, listener=listener, timeout_s=self._timeout_s
        )
        await socket.open()
        return socket

    async def check(self) -> None:
        """Return if the deployment is there and knows the API key; raises what is wrong."""
        await self._api.send("start", "GET", "/v1/sessions?limit=1")

    async def health(self) -> Health:
        """Return how the deployment is."""
        told = await self._api.send("health_check", "GET", "/readyz", accept=(503,))
        return _Readiness.model_validate(told).status

    async def update_config(self, plain: dict[str, Any]) -> None:
        """Change the running deployment's configuration."""
        await self._api.send("update_config", "PUT", "/v1/config", body=plain)

    def agent_name(self, *, callback: Any = None, agent: Any = None) -> str:
        """Return the name by which servers find an agent, empty for none.

        Raises:
            InvalidConfig: both are given, one is not callable, or the servers cannot call it.

        """
        if callback is not None and agent is not None:
            raise _refused("agent_callback", "give agent_callback or agent, not both")
        field, target = ("agent", agent) if callback is None else ("agent_callback", callback)
        if isinstance(target, str) and field == "agent":
            if self._objects is None or target not in AGENTS:
                return target
            target = AGENTS[target]
        if target is None:
            return ""
        if not callable(target):
            raise _refused(field, f"{type(target).__name__} is not callable")
        if self._objects is None:
            message = "the servers run elsewhere: register it there with @agent(name) and give that name as agent"
            raise _refused(field, message)
        return self._objects.register(LocalAgent(target, of_transcript=field == "agent_callback"))

    def forget_agent(self, name: str) -> None:
        """Let go of an agent of ours that no session uses any more."""
        if self._objects and name.startswith("remote:"):
            self._objects.forget(name)


def retry_policy(config: BackendConfig) -> RetryPolicy:
    """Return how often and how long apart a configuration wants calls repeated."""
    return RetryPolicy(max_retries=config.max_retries, delay_s=config.retry_delay.total_seconds())


def _path(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}"


def _refused(field: str, message: str) -> InvalidConfig:
    return InvalidConfig("agent", f"{field}: {message}", details={"field": field})
