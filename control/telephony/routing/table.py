"""The routing table as people write it, in YAML or JSON; wrong names and values are told when it is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import phonenumbers
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from control.telephony.routing.window import Window
from voicebackend.config import invalid
from voicebackend.durations import Duration, seconds
from voicebackend.errors import InvalidConfig
from voicebackend.session import Name as SessionName
from voicebackend.yaml_text import load_yaml

ANONYMOUS = "anonymous"
"""Stands for callers without a number."""
MAX_FILE = 64 * 2**20
"""Bytes in a table: a million prefixes."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def _region(text: str) -> str:
    if text not in phonenumbers.SUPPORTED_REGIONS:
        message = f"{text!r} is no region: two letters, as US or DE"
        raise ValueError(message)
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Prefix = Annotated[str, Field(pattern=r"^(\*|\+[1-9][0-9]{0,14}\*?)$")]
"""``+1415*`` is every number that begins so, ``+14155550123`` that one, ``*`` every one."""
CallerPrefix = Annotated[str, Field(pattern=r"^(\*|anonymous|\+[1-9][0-9]{0,14}\*?)$")]


class Defaults(_Part):
    """What holds where nothing else is said."""

    region: Annotated[str, AfterValidator(_region)] = "US"
    """Where numbers without a country code are dialled."""
    code: Annotated[int, Field(ge=400, le=699)] = 404
    """SIP status for calls that no route takes."""


class Probe(_Part):
    """How it is found out whether a target takes calls."""

    every: Annotated[Duration, seconds(2, 3600)] = timedelta(seconds=10)
    """Seconds within which a target that is dead is left out; its provider is checked twice as often."""
    fail: Annotated[int, Field(ge=1, le=10)] = 3
    """Checks, or calls, in a row that must fail."""
    ok: Annotated[int, Field(ge=1, le=10)] = 2
    """Looks in a row that must go well before a dead target is tried with one call."""


class Target(_Part):
    """Who may take calls."""

    provider: Name
    agent: SessionName | Literal[""] = ""
    """The registered name of the agent; empty where the provider answers by itself."""
    max_calls: Annotated[int, Field(ge=1)] | None = None
    """Calls at once, over all routes and processes."""
    probe: Probe = Probe()


class Deny(_Part):
    """Calls that are refused before any route is looked at."""

    caller: Annotated[tuple[CallerPrefix, ...], Field(min_length=1)] = ("*",)
    called: Annotated[tuple[Prefix, ...], Field(min_length=1)] = ("*",)
    tenant: Name | None = None
    code: Annotated[int, Field(ge=400, le=699)] = 603
    """SIP status."""


class Match(_Part):
    """The calls that a route is for; what is not said fits every call."""

    tenant: Name | None = None
    trunk: Name | None = None
    called: Annotated[tuple[Prefix, ...], Field(min_length=1)] = ("*",)
    caller: Annotated[tuple[CallerPrefix, ...], Field(min_length=1)] = ("*",)
    window: Name | None = None
    header: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")], Annotated[str, Field(max_length=256)]] = {}
    """Headers, in small letters, with exactly these values. Callers can forge them."""


class Share(_Part):
    """One target of a tier."""

    target: Name
    weight: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0


class Tier(_Part):
    """Targets that share calls by weight; the next tier is asked when none of these takes one."""

    to: Annotated[tuple[Share, ...], Field(min_length=1)]
    timeout: Annotated[Duration, seconds(0.05, 60)] | None = None
    """Seconds that each has to take a call; all targets of a call together have 7."""


class Limits(_Part):
    """How much a route takes."""

    cps: Annotated[float, Field(ge=0.01, le=10_000)] | None = None
    """Calls a second: 5 is at most five in any second, 0.5 at most one in any two."""
    concurrent: Annotated[int, Field(ge=1)] | None = None
    """Calls at once, over all processes."""


class Route(_Part):
    """Which calls go where."""

    id: Name
    match: Match = Match()
    priority: int = 0
    """Among routes that fit a call equally well, the lower goes first."""
    use: Annotated[tuple[Tier, ...], Field(min_length=1)]
    limits: Limits = Limits()
    retention: Name | None = None
    """Class by which what is recorded of these calls is kept."""


def _read(routes: Iterable[Any]) -> Iterator[Any]:
    """Yield routes up to the first that is wrong, and that as it is: the table tells where it stands."""
    for raw in routes:
        try:
            yield Route.model_validate(raw)
        except ValidationError:
            yield raw
            return


class RoutingTable(_Part):
    """The whole table.

    Raises:
        InvalidConfig: by ``of`` and ``from_file``: a field is wrong, or names what is not there; ``details["field"]``.

    """

    version: Annotated[int, Field(ge=0)]
    """Of its author's counting: written down with every call."""
    defaults: Defaults = Defaults()
    windows: dict[Name, Window] = {}
    targets: dict[Name, Target]
    deny: tuple[Deny, ...] = ()
    routes: tuple[Route, ...]
    kind: Literal["routing"] = "routing"

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        seen: set[str] = set()
        for route in self.routes:
            if route.id in seen:
                message = f"route {route.id!r} is there twice"
                raise ValueError(message)
            seen.add(route.id)
            if route.match.window is not None and route.match.window not in self.windows:
                message = f"route {route.id!r}: no window is named {route.match.window!r}"
                raise ValueError(message)
            for share in (share for tier in route.use for share in tier.to):
                if share.target not in self.targets:
                    message = f"route {route.id!r}: no target is named {share.target!r}"
                    raise ValueError(message)
        return self

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return the table that this data describes; routes are read one by one, to let other threads run between."""
        routes = data.get("routes")
        if isinstance(routes, (list, tuple)):
            data = {**data, "routes": tuple(_read(routes))}
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise invalid(error, "routing") from error

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Return the table in a YAML or JSON file of at most 64 MiB."""
        path = Path(path)
        try:
            if path.stat().st_size > MAX_FILE:
                raise InvalidConfig("routing", f"{path}: longer than {MAX_FILE} bytes")
            data = load_yaml(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InvalidConfig("routing", f"{path}: {type(error).__name__}", details={"field": str(path)}) from error
        if not isinstance(data, dict):
            raise InvalidConfig("routing", f"{path}: the top level must map field names to values")
        return cls.of(data)
