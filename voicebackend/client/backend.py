"""The library: ``VoiceBackend`` starts servers of its own, or uses those at ``control_url``, and opens sessions."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from typing import Any, Self

from voicebackend.audio import PIPELINE_RATE, AudioFormat
from voicebackend.client.calls import CallService
from voicebackend.client.http import HttpApi
from voicebackend.client.records import RecordService
from voicebackend.client.service import SessionService, retry_policy
from voicebackend.client.session import VoiceSession
from voicebackend.client.sessions import Sessions
from voicebackend.client.webhooks import WebhookService
from voicebackend.config import BackendConfig
from voicebackend.embedded.references import check_names_only
from voicebackend.embedded.stack import EmbeddedStack, to_plain
from voicebackend.errors import SessionNotActive, VoiceBackendError
from voicebackend.events import Swapped
from voicebackend.session import ConnectionState, Health, PersistenceStatus, SessionConfig
from voicebackend.telemetry import measured
from voicebackend.tracing import note

CONTROL_URL, API_KEY = "VOICEBACKEND_CONTROL_URL", "VOICEBACKEND_API_KEY"


class VoiceBackend:
    """A voice backend, from ``start`` to ``stop`` or within ``async with``.

    Without ``control_url`` it is embedded: a private Redis and one child process, which end with it; hooks and agents
    may be objects and functions of this process. With ``control_url`` (or ``VOICEBACKEND_CONTROL_URL``) and
    ``api_key`` (``VOICEBACKEND_API_KEY``) it uses servers that run elsewhere; these find agents and hooks by name.

    Raises:
        InvalidConfig: the configuration is not complete; nothing has been started.

    """

    def __init__(self, config: BackendConfig, *, control_url: str | None = None, api_key: str | None = None) -> None:
        self._control_url = (control_url if control_url is not None else os.environ.get(CONTROL_URL, "")).rstrip("/")
        self._api_key = api_key if api_key is not None else os.environ.get(API_KEY, "")
        if self._control_url:
            check_names_only(config)
        else:
            config.checked(own_pipeline=True)  # the provider, known to the child only, says whether it needs engines
        self._config = config
        self._state = ConnectionState.DISCONNECTED
        self._sessions: dict[str, VoiceSession] = {}
        self._embedded: EmbeddedStack | None = None
        self._api: HttpApi | None = None
        self._service: SessionService | None = None

    def __repr__(self) -> str:
        return f"<VoiceBackend {self._config.provider} [{self.connection_state()}, {len(self._sessions)} sessions]>"

    @property
    def config(self) -> BackendConfig:
        """The configuration, as given or last updated."""
        return self._config

    @property
    def url(self) -> str:
        """Where the servers are; empty for an embedded backend that is not started."""
        return self._embedded.url if self._embedded else self._control_url

    @property
    def api_key(self) -> str:
        """What the servers are told; an embedded backend's own, unless one was given."""
        return self._embedded.api_key if self._embedded else self._api_key

    def connection_state(self) -> ConnectionState:
        """Return how the backend, and the worst of its sessions' connections, stands to its servers."""
        if self._embedded and self._embedded.died.is_set():
            return ConnectionState.ERROR
        states = {session.connection_state() for session in self._sessions.values()}
        if self._state is ConnectionState.CONNECTED and ConnectionState.RECONNECTING in states:
            return ConnectionState.RECONNECTING
        return self._state

    def active_session_count(self) -> int:
        """Return how many sessions of this backend object are not over."""
        self._forget_the_finished()
        return len(self._sessions)

    async def start(self) -> None:
        """Start, or reach, the servers; nothing happens if that is done already.

        Raises:
            InvalidConfig, ProviderNotFound: the configuration cannot be run.
            ConnectionFailed, ConnectionTimeout: the servers cannot be reached.
            AuthenticationFailed: the API key is not known.

        """
        if self._service is not None:
            return
        with self._measured("start"):
            self._state = ConnectionState.CONNECTING
            try:
                await self._connect()
            except BaseException:
                await self._release(ConnectionState.ERROR)
                raise
            self._state = ConnectionState.CONNECTED

    async def stop(self) -> None:
        """End every session of this backend object and, if embedded, the servers."""
        if self._service is None:
            return
        with self._measured("stop"):
            try:
                for session in list(self._sessions.values()):
                    await _end_quietly(session)
            finally:
                self._sessions.clear()
                await self._release(ConnectionState.DISCONNECTED)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def calls(self) -> CallService:
        """Return the telephone calls that the deployment makes; raises SessionNotActive before ``start``."""
        return CallService(self._http("calls"))

    @property
    def records(self) -> RecordService:
        """Return what the deployment keeps of calls; raises SessionNotActive before ``start``."""
        return RecordService(self._http("records"))

    @property
    def sessions(self) -> Sessions:
        """Return sessions whose callers connect by themselves; raises SessionNotActive before ``start``."""
        return Sessions(self._http("sessions"), self._config)

    @property
    def webhooks(self) -> WebhookService:
        """Return where the deployment tells of its sessions; raises SessionNotActive before ``start``."""
        return WebhookService(self._http("webhooks"))

    async def create_session(
        self, config: SessionConfig, *, sample_rate: int = PIPELINE_RATE, wait_for_rate_limit: bool = False
    ) -> VoiceSession:
        """Create a session; ``start`` it to connect the caller. ``sample_rate`` (Hz) is of the audio both ways.

        With ``wait_for_rate_limit`` a rate limiter that says no is waited for, up to 5 s a try, before it is an error.

        Raises:
            InvalidConfig: the request is not valid, or the provider cannot do it.
            ProviderNotFound: no worker has the provider.
            SessionLimitExceeded, RateLimitExceeded: try again later.
            SessionNotActive: the backend is not started.

        """
        with self._measured("create_session"):
            service = self._started("create_session")
            AudioFormat(sample_rate=sample_rate)
            created, agent = await service.create(
                config.copied(), self._config, wait_for_rate_limit=wait_for_rate_limit
            )
            note(session_id=created.id, user_id=created.pseudonym)
            session = VoiceSession(service, created, agent=agent, sample_rate=sample_rate)
            self._forget_the_finished()
            self._sessions[session.id] = session
            return session

    async def get_session(self, session_id: str) -> VoiceSession:
        """Return the session of this id: the same object if this backend object made it, else a new one for it.

        Raises:
            SessionNotFound: there is none.

        """
        with self._measured("get_session", session_id=session_id):
            service = self._started("get_session")
            view = await service.get(session_id)
            note(user_id=view.pseudonym)
            session = self._sessions.get(session_id) or VoiceSession(service, view)
            session._shown(view)  # noqa: SLF001 - of this package; it is nothing that users do
            return session

    async def list_sessions(self) -> list[VoiceSession]:
        """Return every session of the tenant that is not over, newest first."""
        with self._measured("list_sessions"):
            service = self._started("list_sessions")
            return [self._sessions.get(view.id) or VoiceSession(service, view) for view in await service.live()]

    async def close_session(self, session_id: str) -> None:
        """End a session, whoever is connected; one that is over already is fine.

        Raises:
            SessionNotFound: there is none.

        """
        with self._measured("close_session", session_id=session_id):
            service = self._started("close_session")
            session = self._sessions.pop(session_id, None)
            await (session.stop() if session else service.close(session_id))

    async def list_providers(self) -> list[dict[str, Any]]:
        """Return the providers that running workers have: ``name``, ``capabilities``, ``config_schema``, ``health``, ….

        ``capabilities["uses_agent"]`` is false where a provider answers by itself; ``capabilities["transports"]`` tells
        how callers come. The fields are those of ``GET /v1/providers``.
        """
        with self._measured("list_providers"):
            return await self._started("list_providers").providers()

    async def swap_session(self, session_id: str, **names: str | None) -> Swapped:
        """Have a session go on with another provider or other engines: as ``VoiceSession.swap``.

        Raises:
            SessionNotFound: there is none.
            InvalidConfig: nothing, or something else, is named.

        """
        return await (await self.get_session(session_id)).swap(**names)

    async def health_check(self) -> Health:
        """Return how the servers are: ``unknown`` before ``start``, ``unhealthy`` if they cannot be reached."""
        if self._service is None:
            return Health.UNKNOWN
        with self._measured("health_check"):
            try:
                return await self._service.health()
            except (VoiceBackendError, ValueError):
                return Health.UNHEALTHY

    async def update_config(self, config: BackendConfig) -> None:
        """Change the configuration of the running servers; new sessions run by it within about a second.

        Raises:
            InvalidConfig: it is not valid, or changes a hook: these are set at the start. Nothing has changed.

        """
        with self._measured("update_config"):
            service = self._started("update_config")
            if self._embedded:
                config.checked(own_pipeline=True)
                plain = to_plain(self._embedded.with_references(config))
            else:
                check_names_only(config)
                plain = to_plain(config)
            await service.update_config(plain)
            self._config = config

    async def _connect(self) -> None:
        if not self._control_url:
            self._embedded = EmbeddedStack(self._api_key)
            await self._embedded.start(self._config)
        timeout_s = self._config.timeout.total_seconds()
        self._api = HttpApi(self.url, self.api_key, policy=retry_policy(self._config), timeout_s=timeout_s)
        await self._api.open()
        self._service = SessionService(self._api, self._config, self._embedded.objects if self._embedded else None)
        await self._service.check()

    async def _release(self, state: ConnectionState) -> None:
        api, embedded = self._api, self._embedded
        self._api = self._service = self._embedded = None
        self._state = state
        if api:
            await api.aclose()
        if embedded:
            await embedded.stop()

    def _measured(self, operation: str, **attributes: Any) -> AbstractContextManager[Any]:
        """Trace and count an operation, as far as the configuration wants that."""
        return measured(operation, provider=self._config.provider, switches=self._config, **attributes)

    def _started(self, op: str) -> SessionService:
        if self._service is None:
            raise SessionNotActive(op, "the backend is not started: use 'async with', or start it first")
        return self._service

    def _http(self, op: str) -> HttpApi:
        self._started(op)
        assert self._api is not None  # noqa: S101 - who is started has it
        return self._api.within(self._measured)

    def _forget_the_finished(self) -> None:
        over = PersistenceStatus.COMPLETED
        self._sessions = {i: kept for i, kept in self._sessions.items() if kept.persistence_status() is not over}


async def _end_quietly(session: VoiceSession) -> None:
    """End a session at shutdown: that its servers are gone already is no news."""
    with suppress(VoiceBackendError):
        await session.stop()
