"""What a deployment says of telephony, in the file that ``VOICEBACKEND_TELEPHONY`` names: trunks and routes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from control.telephony.outbound.carriers.settings import LiveKitTrunk, TransferTo
from control.telephony.outbound.settings import MockTrunk, Outbound
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import Name, RoutingTable
from control.telephony.sip.settings import SipSettings, SipTrunk
from control.telephony.sip.trunks import TrunkAccess
from voicebackend.config import invalid
from voicebackend.errors import InvalidConfig
from voicebackend.yaml_text import load_yaml


class Trunk(BaseModel):
    """An account at a carrier. Calls by it belong to its tenant, whatever they say of themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    carrier: Literal["twilio", "telnyx", "plivo", "vonage"]
    tenant: Name = "default"
    secret: SecretStr | None = None
    """What webhooks are signed with: Twilio's and Plivo's auth token, Telnyx' public key, Vonage's signature secret."""
    secret_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    """The environment variable that has it."""
    account: Annotated[str, Field(pattern=r"^AC[0-9a-f]{32}$")] | None = None
    """Twilio's account, for what is asked of its REST API: to call, to end and to hand over calls."""
    api_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    """Of that API, in another region, say."""
    outbound: Outbound | None = None
    """The calls that it makes; None where it makes none."""
    transfer_to: TransferTo = ()
    """The only numbers to which its calls may be handed over; by default none."""

    def key(self, name: str, environ: Mapping[str, str] = os.environ) -> str:
        """Return the secret.

        Raises:
            InvalidConfig: there is none.

        """
        found = self.secret.get_secret_value() if self.secret else environ.get(self.secret_env or "", "")
        if not found:
            message = f"trunks.{name}.secret: set it, or secret_env to a variable that has it"
            raise InvalidConfig("telephony", message, details={"field": f"trunks.{name}.secret"})
        return found


class TelephonySettings(BaseModel):
    """Trunks by name, and where calls go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trunks: dict[Name, Annotated[Trunk | SipTrunk | LiveKitTrunk | MockTrunk, Field(discriminator="carrier")]]
    sip: SipSettings | None = None
    """How calls of trunks with ``carrier: sip`` are taken; None where there are none."""
    routes: dict[str, Any] | Path = {"version": 0, "targets": {}, "routes": ()}
    """The routing table, or its file, relative to this one."""

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Return the settings in a YAML file.

        Raises:
            InvalidConfig: it cannot be read, or a field is wrong.

        """
        try:
            data = load_yaml(path.read_text(encoding="utf-8"))
            found = cls.model_validate(data)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            field = {"field": str(path)}
            raise InvalidConfig("telephony", f"{path}: {type(error).__name__}", details=field) from error
        except ValidationError as error:
            raise invalid(error, "telephony") from None  # its words would show secrets
        if isinstance(found.routes, Path):
            return found.model_copy(update={"routes": path.parent / found.routes})
        return found

    def sip_access(self) -> dict[str, TrunkAccess]:
        """Return who may call by SIP, by trunk.

        Raises:
            InvalidConfig: the section ``sip`` is missing, or nobody may call by it, or a trunk has half of its secret.

        """
        found = {
            name: TrunkAccess(trunk.networks, trunk.user or "", trunk.key(name), trunk.digest)
            for name, trunk in self.trunks.items()
            if isinstance(trunk, SipTrunk)
        }
        if bool(found) != (self.sip is not None):
            message = "sip: this section and trunks with `carrier: sip` go together"
            raise InvalidConfig("telephony", message, details={"field": "sip"})
        return found

    def snapshot(self) -> Snapshot:
        """Return the routes, compiled.

        Raises:
            InvalidConfig: they are wrong, or one is for a trunk that is not here.

        """
        routes = self.routes
        table = RoutingTable.from_file(routes) if isinstance(routes, Path) else RoutingTable.of(routes)
        for route in table.routes:
            if route.match.trunk is not None and route.match.trunk not in self.trunks:
                message = f"route {route.id!r}: no trunk is named {route.match.trunk!r}"
                raise InvalidConfig("telephony", message, details={"field": "routes"})
        return Snapshot(table)
