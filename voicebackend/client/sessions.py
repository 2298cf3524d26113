"""Sessions of a web app: made by one call, spoken to from browsers, read later.

They outlive the process that made them.
"""

from __future__ import annotations

from pydantic import BaseModel

from voicebackend.client.http import HttpApi
from voicebackend.client.service import body_of, path_of
from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig
from voicebackend.session import SessionConfig, SessionCreated
from voicebackend.transcripts import TranscriptView


class Ticket(BaseModel):
    """How a caller's websocket is opened."""

    connect_url: str
    token: str
    """Single use, for the websocket's sub-protocol ``token.<token>``."""
    token_expires_in: float
    """Seconds."""


class Sessions:
    """One deployment's sessions. Every method raises the problem that the server tells, as an error of ours."""

    def __init__(self, api: HttpApi, config: BackendConfig) -> None:
        self._api, self._config = api, config

    async def enqueue(self, config: SessionConfig, *, max_wait_s: float | None = None) -> SessionCreated:
        """Create a session whose caller connects by the answer's ``connect_url`` and ``token``.

        Where all slots are taken it waits for one up to ``max_wait_s`` seconds (1 to 300), or is refused without.
        ``agent`` is the name of one that the servers know.

        Raises:
            InvalidConfig: the request is not valid, or the agent is an object of this process.
            SessionLimitExceeded, RateLimitExceeded: try again later.

        """
        if config.agent_callback is not None or not (config.agent is None or isinstance(config.agent, str)):
            message = "agent: name one that the servers know; the session outlives this process"
            raise InvalidConfig("enqueue", message, details={"field": "agent"})
        queue = {} if max_wait_s is None else {"queue": {"max_wait": max_wait_s}}
        body = body_of(config.copied(), self._config, config.agent or "", **queue)
        return SessionCreated.model_validate(await self._api.send("enqueue", "POST", "/v1/sessions", body=body))

    async def ticket(self, session_id: str) -> Ticket:
        """Return a fresh token for a session's caller; raises SessionNotFound, SessionNotActive."""
        return Ticket.model_validate(await self._api.send("ticket", "POST", f"{path_of(session_id)}/token"))

    async def transcript(self, session_id: str) -> TranscriptView:
        """Return what has been said so far, until an hour after the session's end; raises SessionNotFound."""
        return await self._api.get("transcript", f"{path_of(session_id)}/transcript", TranscriptView)
