"""What every request handler of one control process shares."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from control.access.auth import ApiKeys
from control.access.key_store import KeyStore
from control.access.known_keys import KnownKeys
from control.access.principal import Principal
from control.access.request_rates import RequestRates
from control.access.tokens import Tokens
from control.gateway.gateway import Gateway
from control.session_services import SessionServices
from control.sessions.log import SessionLogs
from control.sessions.store import SessionStore
from control.telephony.handover import CallHandover
from control.telephony.outbound_lines import OutboundLines
from voicebackend._background import Background


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(SessionServices):
    """Connections and long-lived objects of one control process."""

    api_keys: ApiKeys
    key_store: KeyStore
    rates: RequestRates
    known_keys: KnownKeys = field(default_factory=KnownKeys)
    """Whose next request is no guess."""
    store: SessionStore
    logs: SessionLogs
    tokens: Tokens
    gateway: Gateway
    handover: CallHandover
    """Hands calls over to persons."""
    outbound: OutboundLines
    """Trunks that make calls."""
    background: Background = field(default_factory=Background)
    """What goes on after its request was answered."""

    def stream_url(self, carrier: str, session_id: str) -> str:
        """Return where a carrier streams a session's call."""
        return f"{self._ws_url}/v1/telephony/{carrier}/stream/{session_id}"

    def media_url(self, session_id: str) -> str:
        """Return where a session's caller connects."""
        return f"{self._ws_url}/v1/sessions/{session_id}/media"

    @property
    def _ws_url(self) -> str:
        return self.deployment.base_url.replace("http", "ws", 1)


SERVICES = web.AppKey("services", Services)
PRINCIPAL = web.RequestKey("principal", Principal)
"""Who asks; set by the middleware on every request that is not public."""
