"""What a deployment says of SIP: where it listens, what it bears, and trunks that are networks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    SecretStr,
    model_validator,
)

from control.telephony.routing.table import Name
from control.telephony.sip.events import Transport
from voicebackend.config import parse
from voicebackend.errors import InvalidConfig

LISTEN = "VOICEBACKEND_SIP_LISTEN"
"""The variable that takes the place of ``sip.listen``: several addresses are parted by commas."""
DigestName: TypeAlias = Literal["MD5", "SHA-256"]
DIGESTS: tuple[DigestName, ...] = ("MD5", "SHA-256")
Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ListenAddress(_Part):
    """A socket: ``udp:127.0.0.1:5060``, ``tcp:[::]:5060``; port 0 takes a free one."""

    transport: Transport
    host: IPvAnyAddress
    port: Annotated[int, Field(ge=0, le=65535)]


class PortRange(_Part):
    """Ports of UDP for media: ``20000-20999``."""

    first: Annotated[int, Field(ge=1024, le=65535)]
    last: Annotated[int, Field(ge=1024, le=65535)]

    @model_validator(mode="after")
    def _has_a_pair(self) -> Self:
        if self.last <= self.first:
            message = "needs a port and the next, at least"
            raise ValueError(message)
        return self


def _listen(value: Any) -> Any:
    """Take an address apart that is written as text."""
    if not isinstance(value, str):
        return value
    transport, _, place = value.strip().partition(":")
    host, _, port = place.rpartition(":")
    return {"transport": transport.lower(), "host": host.removeprefix("[").removesuffix("]"), "port": port}


def _range(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    first, _, last = value.partition("-")
    return {"first": first.strip(), "last": last.strip()}


def _reachable(address: Address) -> Address:
    if address.is_unspecified or address.is_multicast:
        message = "must be one address of this machine, or the one that its router has"
        raise ValueError(message)
    return address


Listen = Annotated[ListenAddress, BeforeValidator(_listen)]
Ports = Annotated[PortRange, BeforeValidator(_range)]


class SipSettings(_Part):
    """How this process takes calls by SIP."""

    listen: Annotated[tuple[Listen, ...], Field(min_length=1, max_length=8)]
    public_address: Annotated[IPvAnyAddress, AfterValidator(_reachable)] | None = None
    """Where the far side reaches us, for signalling and media; needed where ``listen`` is every address."""
    media_ports: Ports = PortRange(first=20000, last=20999)
    max_calls: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Calls at once in one process; more are answered 503."""
    invites_per_second: Annotated[float, Field(gt=0, le=10_000)] = 20.0
    """New calls from one address; more are answered 503."""
    max_call_s: Annotated[int, Field(ge=1, le=86_400)] = 7200
    """Seconds after which a call is ended."""

    ready_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds that a new call's session has to be ready while it rings; then 480."""
    media_timeout_s: Annotated[float, Field(ge=1, le=3600)] = 20.0
    """Seconds without a packet of the caller's after which it is gone, unless it is on hold."""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 5.0
    """Seconds that calls have to end by themselves when the process is to end; then BYE. New ones are answered 503."""

    @model_validator(mode="after")
    def _is_reachable(self) -> Self:
        if self.public_address is None and any(one.host.is_unspecified for one in self.listen):
            message = "public_address is needed where listen is every address (0.0.0.0 or ::)"
            raise ValueError(message)
        return self

    @property
    def address(self) -> Address:
        """Return what we tell the far side."""
        return self.public_address or self.listen[0].host

    def with_environment(self, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the settings with ``VOICEBACKEND_SIP_LISTEN`` in the place of ``listen``, if it is set.

        Raises:
            InvalidConfig: it names no address.

        """
        text = environ.get(LISTEN, "")
        if not text:
            return self
        fields = {**self.model_dump(), "listen": text.split(",")}
        try:
            return parse(type(self), fields, op="telephony")
        except InvalidConfig as error:
            raise InvalidConfig("telephony", f"{LISTEN}: {error.message}", details={"field": LISTEN}) from None


class SipTrunk(_Part):
    """A carrier or exchange that calls by SIP. Calls from its networks belong to its tenant, whatever they say."""

    carrier: Literal["sip"]
    tenant: Name = "default"
    networks: Annotated[tuple[IPvAnyNetwork, ...], Field(min_length=1, max_length=256)]
    """Where its signalling comes from; of trunks whose networks overlap, the smallest network's takes a call."""
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~+@-]{1,64}$")] | None = None
    """Who it says it is when it is asked (digest); None asks for nothing."""
    secret: SecretStr | None = None
    secret_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    """The environment variable that has it."""
    digest: Annotated[tuple[DigestName, ...], Field(min_length=1, max_length=2)] = DIGESTS
    """How it may prove that it has the secret, in the order in which it is asked.

    Asterisk 18, FreeSWITCH 1.10 and sipp read the first challenge only, and know MD5 only: so that is the first. Who
    is in the way can take the better one out, whatever the order; ``[SHA-256]`` alone is what keeps MD5 out.
    """

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if self.user is None and any(network.prefixlen == 0 for network in self.networks):
            message = "networks: one of them is everybody; name the trunk's addresses, or ask it for user and secret"
            raise ValueError(message)
        return self

    def key(self, name: str, environ: Mapping[str, str] = os.environ) -> str:
        """Return the secret that goes with ``user``, empty where there is none of both.

        Raises:
            InvalidConfig: there is only one of the two.

        """
        found = self.secret.get_secret_value() if self.secret else environ.get(self.secret_env or "", "")
        if bool(found) != (self.user is not None):
            field = f"trunks.{name}.{'secret' if self.user else 'user'}"
            raise InvalidConfig("telephony", f"{field}: user and secret go together", details={"field": field})
        return found
