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
from voicebackend.consent import ConsentView, ConsentWord
from voicebackend.errors import InvalidConfig
from voicebackend.events import Swapped
from voicebackend.frameworks import adapted
from voicebackend.remote import Objects
from voicebackend.retry import RetryPolicy
from voicebackend.session import Health, PersistenceStatus, SessionConfig, SessionCreated, SessionRequest, SessionView
from voicebackend.swap import SwapRequest
from voicebackend.telemetry import Switches

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
        self.switches: Switches = config
        """Whether the application's operations are traced and counted."""

    async def create(
        self, config: SessionConfig, defaults: BackendConfig, *, wait_for_rate_limit: bool = False
    ) -> tuple[SessionCreated, str]:
        """Create a session; return it and the reference to its agent, empty if that is no object of ours."""
        agent = self.agent_name(callback=config.agent_callback, agent=config.agent)
        headers = {"Prefer": f"wait={READY_S}" + (", rate-limit=wait" if wait_for_rate_limit else "")}
        body = body_of(config, defaults, agent)
        try:
            told = await self._api.send("create_session", "POST", "/v1/sessions", body=body, headers=headers)
        except BaseException:
            self.forget_agent(agent)
            raise
        return SessionCreated.model_validate(told), agent

    async def providers(self) -> list[dict[str, Any]]:
        """Return the providers that running workers have."""
        told = await self._api.send("list_providers", "GET", "/v1/providers")
        return list(told["providers"])

    async def get(self, session_id: str) -> SessionView:
        """Return a session as it is now."""
        return await self._api.get("get_session", path_of(session_id), SessionView)

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
        await self._api.send("close_session", "DELETE", path_of(session_id))

    async def update(self, op: str, session_id: str, **changes: Any) -> SessionView:
        """Change a session's metadata or agent."""
        told = await self._api.send(op, "PATCH", path_of(session_id), body=changes)
        return SessionView.model_validate(told)

    async def play(self, session_id: str, pcm: bytes, sample_rate: int) -> None:
        """Play audio to the session's caller."""
        path = f"{path_of(session_id)}/audio?sample_rate={sample_rate}"
        await self._api.send("send_audio", "POST", path, body=pcm)

    async def swap(self, session_id: str, wanted: SwapRequest) -> Swapped:
        """Have a session go on with another provider or other engines."""
        body = wanted.model_dump(mode="json", exclude_none=True)
        return Swapped.model_validate(await self._api.send("swap", "POST", f"{path_of(session_id)}/swap", body=body))

    async def text(self, session_id: str, text: str) -> None:
        """Say something to the session's agent in the caller's place, in writing."""
        await self._api.send("send_text", "POST", f"{path_of(session_id)}/text", body={"text": text})

    async def say(self, session_id: str, text: str, *, then_end: bool) -> None:
        """Have the agent's voice say something."""
        body = {"text": text, "then_end": then_end}
        await self._api.send("say", "POST", f"{path_of(session_id)}/say", body=body)

    async def transfer(self, session_id: str, to: str, sorry: str | None) -> None:
        """Have a telephone call handed over."""
        body = {"to": to, **({} if sorry is None else {"sorry": sorry})}
        await self._api.send("transfer", "POST", f"{path_of(session_id)}/transfer", body=body)

    async def consent(self, session_id: str, word: ConsentWord) -> dict[str, bool]:
        """Say what the caller agrees to; return how it stands, by class."""
        body = word.model_dump(mode="json")
        told = await self._api.send("consent", "POST", f"{path_of(session_id)}/consent", body=body)
        return ConsentView.model_validate(told).classes

    async def connect(self, session_id: str, listener: MediaListener, sample_rate: int) -> MediaSocket:
        """Open the caller's socket with a fresh token."""

        async def ticket() -> Ticket:
            told = await self._api.send("start", "POST", f"{path_of(session_id)}/token")
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
        if field == "agent":
            target = adapted(target)
        elif not callable(target):
            raise _refused(field, f"{type(target).__name__} is not callable")
        if self._objects is None:
            message = "the servers run elsewhere: register it there with @agent(name) and give that name as agent"
            raise _refused(field, message)
        local = LocalAgent(target, of_transcript=field == "agent_callback", secret=self._objects.secret)
        return self._objects.register(local)

    def forget_agent(self, name: str) -> None:
        """Let go of an agent of ours that no session uses any more."""
        if self._objects and name.startswith("remote:"):
            self._objects.forget(name)


def body_of(config: SessionConfig, defaults: BackendConfig, agent: str, **more: Any) -> dict[str, Any]:
    """Return the body of a request for a session; raises InvalidConfig naming the field that is wrong."""
    shared = set(SessionRequest.model_fields) & set(SessionConfig.model_fields) - {"agent"}
    fields = config.model_dump(mode="json", exclude_none=True, include=shared)
    names = {
        "pipeline_type": config.pipeline_type or defaults.pipeline_type,
        "provider": defaults.provider or None,
        "agent": agent or None,
    }
    request = parse(SessionRequest, {**fields, **names, **more}, op="create_session")
    return request.model_dump(mode="json", exclude_none=True)


def retry_policy(config: BackendConfig) -> RetryPolicy:
    """Return how often and how long apart a configuration wants calls repeated."""
    return RetryPolicy(max_retries=config.max_retries, delay_s=config.retry_delay.total_seconds())


def path_of(session_id: str) -> str:
    """Return where a session is."""
    return f"/v1/sessions/{quote(session_id, safe='')}"


def _refused(field: str, message: str) -> InvalidConfig:
    return InvalidConfig("agent", f"{field}: {message}", details={"field": field})
