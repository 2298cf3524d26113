"""Where things are: the addresses and secrets of one deployment, read from the environment by every process.

``BackendConfig`` says what is done with a call; this says where. Names are in the README of ``voicebackend``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from voicebackend.errors import InvalidConfig
from voicebackend.keys import Keys
from voicebackend.limits import Limits
from voicebackend.redis_url import RedisUrl, Topology

DEFAULT_REDIS = "redis://127.0.0.1:6379/0"
DEFAULT_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The addresses and secrets of one deployment."""

    state_url: str = field(default=DEFAULT_REDIS, repr=False)
    """Redis for leases, records and logs: a server, or a master that Sentinels know."""
    audio_url: str = field(default=DEFAULT_REDIS, repr=False)
    """Redis for lanes and inboxes: a Cluster too."""
    broker_url: str = field(default=DEFAULT_REDIS, repr=False)
    """Redis for Celery: a server, or a master that Sentinels know."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """TCP port of control; 0 takes a free one."""
    public_url: str = ""
    """How callers reach control, e.g. ``https://voice.example.com``; empty means ``http://host:port``."""
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Tenant by API key; empty lets control make a development key."""
    token_secret: str = field(default="", repr=False)
    """Signs session tokens, at least 32 bytes; empty lets the deployment make one and keep it in ``state``."""
    agents: tuple[str, ...] = ()
    """Modules that register agents when imported."""
    inline_tasks: bool = False
    """Run task functions in the publishing process instead of Celery (the embedded library)."""
    home: Path = field(default_factory=lambda: Path.home() / ".voicebackend")
    """Private folder for a development stack's key and address."""
    prefix: str = "vb"
    """In front of every Redis key."""
    limits: Limits = field(default_factory=Limits)
    """What admission allows."""
    telephony: Path | None = None
    """File of trunks and routes; None where no telephone calls come in."""
    retention: Path | None = None
    """File of policies and of the store; None where nothing is kept but what Redis has for an hour."""
    records_key: str = field(default="", repr=False)
    """Wraps the keys of encrypted records, at least 32 bytes."""
    prices: Path | None = None
    """File of what engines and models cost; None where nobody reckons."""
    webhooks: Path | None = None
    """File of endpoints for webhooks, beside those of the API; None where there is none."""
    private_webhooks: bool = False
    """Whether webhooks may go to addresses of our own network, and without TLS: for development."""
    remote_control: bool = False
    """Whether Celery workers obey remote commands that change something, and Flower has its buttons."""

    @property
    def keys(self) -> Keys:
        """Return the names of the Redis keys."""
        return Keys(self.prefix)

    @property
    def base_url(self) -> str:
        """Return how callers reach control."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    def with_redis(self, url: str) -> Self:
        """Return a copy with one Redis server in all three roles."""
        return replace(self, state_url=url, audio_url=url, broker_url=url)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the ``VOICEBACKEND_…`` variables.

        Raises:
            InvalidConfig: a variable does not parse; the details name it.

        """
        get = environ.get
        default = cls()
        return cls(
            state_url=_redis(environ, "VOICEBACKEND_STATE_URL"),
            audio_url=_redis(environ, "VOICEBACKEND_AUDIO_URL", cluster=True),
            broker_url=_redis(environ, "VOICEBACKEND_BROKER_URL"),
            host=get("VOICEBACKEND_HOST", default.host),
            port=_port(get("VOICEBACKEND_PORT", str(DEFAULT_PORT))),
            public_url=get("VOICEBACKEND_PUBLIC_URL", ""),
            api_keys=_api_keys(get("VOICEBACKEND_API_KEYS", "")),
            token_secret=_secret("VOICEBACKEND_TOKEN_SECRET", environ),
            records_key=_secret("VOICEBACKEND_RECORDS_KEY", environ),
            agents=tuple(filter(None, (name.strip() for name in get("VOICEBACKEND_AGENTS", "").split(",")))),
            inline_tasks=get("VOICEBACKEND_INLINE_TASKS", "") == "1",
            home=Path(get("VOICEBACKEND_HOME", str(default.home))),
            prefix=get("VOICEBACKEND_PREFIX", default.prefix),
            limits=Limits.parse(
                tenant_sessions=get("VOICEBACKEND_TENANT_SESSIONS", "0"),
                tenant_rate=get("VOICEBACKEND_TENANT_RATE", ""),
                max_queued=get("VOICEBACKEND_MAX_QUEUED", str(default.limits.max_queued)),
                tenant_minutes=get("VOICEBACKEND_TENANT_MINUTES", "0"),
                request_rate=get("VOICEBACKEND_REQUEST_RATE", str(default.limits.request_rate)),
            ),
            telephony=Path(get("VOICEBACKEND_TELEPHONY", "")) if get("VOICEBACKEND_TELEPHONY") else None,
            retention=Path(get("VOICEBACKEND_RETENTION", "")) if get("VOICEBACKEND_RETENTION") else None,
            prices=Path(get("VOICEBACKEND_PRICES", "")) if get("VOICEBACKEND_PRICES") else None,
            webhooks=Path(get("VOICEBACKEND_WEBHOOKS", "")) if get("VOICEBACKEND_WEBHOOKS") else None,
            private_webhooks=get("VOICEBACKEND_PRIVATE_WEBHOOKS", "") == "1",
            remote_control=get("VOICEBACKEND_REMOTE_CONTROL", "") == "1",
        )

    def to_env(self) -> dict[str, str]:
        """Return the variables from which a child process reads the same deployment."""
        return {
            "VOICEBACKEND_STATE_URL": self.state_url,
            "VOICEBACKEND_AUDIO_URL": self.audio_url,
            "VOICEBACKEND_BROKER_URL": self.broker_url,
            "VOICEBACKEND_HOST": self.host,
            "VOICEBACKEND_PORT": str(self.port),
            "VOICEBACKEND_PUBLIC_URL": self.public_url,
            "VOICEBACKEND_API_KEYS": ",".join(f"{tenant}:{key}" for key, tenant in self.api_keys.items()),
            "VOICEBACKEND_TOKEN_SECRET": self.token_secret,
            "VOICEBACKEND_RECORDS_KEY": self.records_key,
            "VOICEBACKEND_AGENTS": ",".join(self.agents),
            "VOICEBACKEND_INLINE_TASKS": "1" if self.inline_tasks else "",
            "VOICEBACKEND_HOME": str(self.home),
            "VOICEBACKEND_PREFIX": self.prefix,
            "VOICEBACKEND_TENANT_SESSIONS": str(self.limits.tenant_sessions),
            "VOICEBACKEND_TENANT_RATE": str(self.limits.tenant_rate),
            "VOICEBACKEND_MAX_QUEUED": str(self.limits.max_queued),
            "VOICEBACKEND_TENANT_MINUTES": str(self.limits.tenant_minutes),
            "VOICEBACKEND_REQUEST_RATE": str(self.limits.request_rate),
            "VOICEBACKEND_TELEPHONY": str(self.telephony or ""),
            "VOICEBACKEND_RETENTION": str(self.retention or ""),
            "VOICEBACKEND_PRICES": str(self.prices or ""),
            "VOICEBACKEND_WEBHOOKS": str(self.webhooks or ""),
            "VOICEBACKEND_PRIVATE_WEBHOOKS": "1" if self.private_webhooks else "",
            "VOICEBACKEND_REMOTE_CONTROL": "1" if self.remote_control else "",
        }


def _invalid(variable: str, message: str) -> InvalidConfig:
    return InvalidConfig("deployment", f"{variable}: {message}", details={"field": variable})


def _redis(environ: Mapping[str, str], variable: str, *, cluster: bool = False) -> str:
    """Return the URL of a role, its own or the one for all; an error names the variable and shows no secret."""
    if not environ.get(variable):
        variable = "VOICEBACKEND_REDIS_URL"
    text = environ.get(variable) or DEFAULT_REDIS
    try:
        topology = RedisUrl.parse(text).topology
    except ValueError as error:
        raise _invalid(variable, str(error)) from None  # the cause may show a password
    if topology is Topology.CLUSTER and not cluster:
        raise _invalid(variable, "only VOICEBACKEND_AUDIO_URL may be a Cluster: state and broker need one server")
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:6]) <= 65535):  # noqa: PLR2004 - the last port
        raise _invalid("VOICEBACKEND_PORT", "a number from 0 to 65535")
    return int(text)


def _secret(variable: str, environ: Mapping[str, str]) -> str:
    text = environ.get(variable, "")
    if text and len(text.encode()) < 32:  # noqa: PLR2004 - RFC 7518, section 3.2
        raise _invalid(variable, "at least 32 bytes")
    return text


def _api_keys(text: str) -> dict[str, str]:
    """Read ``tenant:key,tenant:key``; a part without a tenant belongs to ``default``."""
    keys: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        tenant, _, key = part.rpartition(":")
        if len(key) < 16:  # noqa: PLR2004 - shorter ones can be guessed
            raise _invalid("VOICEBACKEND_API_KEYS", "a key has at least 16 characters")
        keys[key] = tenant or "default"
    return keys
