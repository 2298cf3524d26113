"""The trunks and routes of a deployment, as every request of a process uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

from control.telephony import signatures
from control.telephony.carriers.carrier import Carrier
from control.telephony.carriers.plivo import Plivo
from control.telephony.carriers.telnyx import Telnyx
from control.telephony.carriers.twilio import Twilio
from control.telephony.carriers.vonage import Vonage
from control.telephony.routing.snapshot import Snapshot
from control.telephony.settings import TelephonySettings
from control.telephony.sip.carrier import SipCarrier
from control.telephony.sip.settings import SipSettings
from control.telephony.sip.trunks import TrunkAccess
from voicebackend.errors import InvalidConfig

CARRIERS: Mapping[str, Carrier] = {
    "twilio": Twilio(),
    "telnyx": Telnyx(),
    "plivo": Plivo(),
    "vonage": Vonage(),
    "sip": SipCarrier(),
}
_ANYWHERE = frozenset({"telnyx", "vonage"})
"""Carriers that sign no address: a webhook for one trunk is good for another with the same secret."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Line:
    """A trunk, ready for use."""

    name: str
    carrier: Carrier
    tenant: str
    secret: str

    def __repr__(self) -> str:
        return f"<Line {self.name} [{self.carrier.name}]>"


@dataclass(frozen=True, slots=True)
class SipExchange:
    """How calls by SIP are taken, and whose."""

    settings: SipSettings
    access: Mapping[str, TrunkAccess]
    """By trunk."""


@dataclass(frozen=True, slots=True)
class Switchboard:
    """Lines by name, and where their calls go."""

    lines: Mapping[str, Line]
    routes: Snapshot
    sip: SipExchange | None = None
    """None where no calls come by SIP."""

    @classmethod
    def of(cls, path: Path, public_url: str) -> Switchboard:
        """Return what a settings file describes; ``public_url`` is where carriers reach us.

        Raises:
            InvalidConfig: the file is wrong, or carriers would call us unencrypted; nothing has been started.

        """
        settings = TelephonySettings.from_file(path)
        access = settings.sip_access()
        trunks = {name: trunk for name, trunk in settings.trunks.items() if trunk.carrier in CARRIERS}
        if set(trunks) > set(access):
            _check_reach(public_url)
        lines = {
            name: Line(name, CARRIERS[trunk.carrier], trunk.tenant, trunk.key(name)) for name, trunk in trunks.items()
        }
        _check_secrets(lines.values())
        sip = SipExchange(settings.sip.with_environment(), access) if settings.sip is not None else None
        return cls(lines, settings.snapshot(), sip)


def _check_reach(public_url: str) -> None:
    parts = urlsplit(public_url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        message = "VOICEBACKEND_PUBLIC_URL: carriers call an address with https; it is what they sign, and hides tokens"
        raise InvalidConfig("telephony", message, details={"field": "VOICEBACKEND_PUBLIC_URL"})


def _check_secrets(lines: Iterable[Line]) -> None:
    """Return if every secret can be one, and none lets a tenant's webhooks pass for another's."""
    lines = list(lines)
    for line in lines:
        if line.carrier.name == "telnyx":
            try:
                signatures.telnyx_key(line.secret)
            except InvalidConfig as error:
                field = f"trunks.{line.name}.secret"
                raise InvalidConfig("telephony", f"{field}: {error.message}", details={"field": field}) from error
    for one, other in combinations(lines, 2):
        alike = (one.carrier.name, one.secret) == (other.carrier.name, other.secret)
        if alike and one.carrier.name in _ANYWHERE and one.tenant != other.tenant:
            field = f"trunks.{other.name}.secret"
            message = (
                f"{field}: trunk {one.name!r} of another tenant has it too, and {one.carrier.name} signs no address"
            )
            raise InvalidConfig("telephony", message, details={"field": field})
