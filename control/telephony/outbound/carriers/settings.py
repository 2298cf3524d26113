"""What a deployment says of a LiveKit server's SIP trunk: calls by it join rooms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from control.telephony.outbound.settings import Outbound
from control.telephony.routing.table import Name
from voicebackend.calls import E164
from voicebackend.errors import InvalidConfig
from voicebackend.rooms import ROOM_NAME

Environment = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
"""A variable's name."""
MAX_TRANSFERS = 1000
"""Numbers to which a trunk's calls may be handed over."""
TransferTo = Annotated[tuple[E164, ...], Field(max_length=MAX_TRANSFERS)]
"""The only numbers to which calls may be handed over: whoever can name another can run up the bill."""


class LiveKitTrunk(BaseModel):
    """A LiveKit server's SIP service; calls by it are sessions with the provider ``livekit``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    carrier: Literal["livekit"]
    tenant: Name = "default"
    url: Annotated[str, Field(pattern=r"^(wss?|https?)://\S+$")] | None = None
    """The server's; by default ``LIVEKIT_URL``."""
    api_key: str | None = None
    """By default ``LIVEKIT_API_KEY``."""
    secret: SecretStr | None = None
    secret_env: Environment = "LIVEKIT_API_SECRET"  # noqa: S105 - a name
    """The environment variable that has the API secret."""
    sip_trunk: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """The server's id of its outbound trunk, ``ST_...``; needed where it makes calls."""
    room_name: str = ROOM_NAME
    """As the provider's."""
    outbound: Outbound | None = None
    """The calls that it makes; None where it only hands over calls that came in."""
    transfer_to: TransferTo = ()

    @model_validator(mode="after")
    def _of_use(self) -> Self:
        if self.outbound is not None and self.sip_trunk is None:
            message = "sip_trunk: the server's outbound trunk, which outbound needs"
            raise ValueError(message)
        if self.outbound is None and not self.transfer_to:
            message = "outbound or transfer_to: without both the trunk is of no use"
            raise ValueError(message)
        return self

    def key(self, name: str, environ: Mapping[str, str] = os.environ) -> str:
        """Return the API secret; raises InvalidConfig if there is none."""
        found = self.secret.get_secret_value() if self.secret else environ.get(self.secret_env, "")
        return found or _missing(name, "secret", self.secret_env)

    def access(self, name: str, environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
        """Return the server's address and API key; raises InvalidConfig if one is missing."""
        url = self.url or environ.get("LIVEKIT_URL", "") or _missing(name, "url", "LIVEKIT_URL")
        key = self.api_key or environ.get("LIVEKIT_API_KEY", "") or _missing(name, "api_key", "LIVEKIT_API_KEY")
        return url, key


def _missing(name: str, field: str, variable: str) -> str:
    message = f"trunks.{name}.{field}: set it, or {variable} in the environment"
    raise InvalidConfig("telephony", message, details={"field": f"trunks.{name}.{field}"})
