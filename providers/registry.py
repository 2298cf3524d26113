"""Every provider and engine by name. Nothing is loaded before it is asked for.

Third parties add theirs by an entry point in the group ``voicebackend.<kind>``, e.g. ``voicebackend.stt``, or by
``register``. Built-in names cannot be taken.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from providers import builtins
from providers.target import Target
from voicebackend.config import invalid
from voicebackend.errors import InvalidConfig, ProviderNotFound
from voicebackend.interfaces import (
    Engine,
    NoiseCanceller,
    SpeechToSpeech,
    SpeechToText,
    TextToSpeech,
    TurnDetector,
    VoiceActivityDetector,
    VoiceProvider,
)

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Engine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A provider or engine as a user may choose it, told without opening anything."""

    name: str
    unavailable: str | None
    """Why it cannot be used here and what to do about it; None if it can."""
    install: str | None
    """The command that installs what is missing."""
    capabilities: Mapping[str, Any] | None
    """What it can do; None if the class could not be loaded."""
    config_schema: Mapping[str, Any] | None
    """JSON schema of its settings; None if the class could not be loaded."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the API."""
        return asdict(self)


class Registry(Generic[T]):
    """The classes of one kind by name."""

    def __init__(self, kind: str, base: type[T], built_in: Mapping[str, Target]) -> None:
        self.kind = kind
        self._base = base
        self._built_in = built_in
        self._registered: dict[str, Target] = {}

    def __repr__(self) -> str:
        return f"<Registry {self.kind}: {', '.join(self.names())}>"

    @property
    def targets(self) -> Mapping[str, Target]:
        """Every name with its target, read only."""
        return MappingProxyType({**self._third_parties, **self._registered, **self._built_in})

    @cached_property
    def _third_parties(self) -> Mapping[str, Target]:
        found = {point.name: Target(point.value) for point in entry_points(group=f"voicebackend.{self.kind}")}
        for name in sorted(found.keys() & self._built_in.keys()):
            logger.warning("an entry point of voicebackend.%s may not take the built-in name %s", self.kind, name)
        return found

    def names(self) -> list[str]:
        """Return every registered name, sorted."""
        return sorted(self.targets)

    def is_registered(self, name: str) -> bool:
        """Tell whether there is such a name; what it needs may still not be installed."""
        return name in self.targets

    def register(self, name: str, target: str | type[T]) -> None:
        """Add a class, or the ``module:Class`` to import when it is first asked for.

        Raises:
            InvalidConfig: the name belongs to another class.

        """
        known = self.targets.get(name)
        if known is not None and known.where != target:
            message = f"the {self.kind} name {name!r} is taken"
            raise InvalidConfig("register", message, details={"field": "name"})
        self._registered[name] = Target(target)

    def get(self, name: str) -> type[T]:
        """Return the class of this name, imported now if it was not yet.

        Raises:
            ProviderNotFound: there is no such name; ``details["known"]`` lists those that there are.
            InvalidConfig: a package that it needs is not installed, or the class is of another kind.

        """
        target = self._find(name)
        target.require(self._op(name))
        return self._load(name, target)

    def create(self, name: str, settings: Mapping[str, Any] | None = None) -> T:
        """Return a new provider or engine with these settings, not yet open.

        Raises:
            ProviderNotFound: there is no such name; ``details["known"]`` lists those that there are.
            InvalidConfig: a package is not installed, or a setting is unknown or wrong; ``details["field"]`` names it.

        """
        found = self.get(name)
        try:
            config = found.Config.model_validate(dict(settings or {}))
        except ValidationError as error:
            raise invalid(error, self._op(name)) from error
        return found(config)

    def describe(self) -> list[Description]:
        """Return what there is to choose from, in order of name; what is not installed is listed and marked."""
        return [self._describe(name, target) for name, target in sorted(self.targets.items())]

    def _op(self, name: str) -> str:
        return f"{self.kind} {name}"

    def _find(self, name: str) -> Target:
        targets = self.targets
        if name not in targets:
            known = sorted(targets)
            message = f"no {self.kind} named {name!r} is registered; there are {', '.join(known)}"
            raise ProviderNotFound("registry", message, details={"kind": self.kind, "known": known})
        return targets[name]

    def _load(self, name: str, target: Target) -> type[T]:
        found = target.load(self._op(name))
        if not issubclass(found, self._base):
            raise InvalidConfig(self._op(name), f"{found.__name__} is no {self._base.__name__}")
        return found

    def _describe(self, name: str, target: Target) -> Description:
        unavailable, install, found = None, None, None
        try:
            found = self._load(name, target)
            target.require(self._op(name))
        except InvalidConfig as error:
            unavailable, install = error.message, error.details.get("install")
        return Description(
            name=name,
            unavailable=unavailable,
            install=install,
            capabilities=_capabilities(found),
            config_schema=found.Config.model_json_schema() if found else None,
        )


def _capabilities(found: type[Engine] | None) -> Mapping[str, Any] | None:
    if found is None:
        return None
    if issubclass(found, VoiceProvider):
        return found.capabilities.to_dict()
    told: dict[str, Any] = {"remote": found.remote}
    if issubclass(found, SpeechToSpeech):
        told |= {"can_say": found.can_say, "takes_text": found.takes_text, "remembers": found.remembers}
    return told


PROVIDERS = Registry("provider", VoiceProvider, builtins.PROVIDERS)
STT = Registry("stt", SpeechToText, builtins.STT)
TTS = Registry("tts", TextToSpeech, builtins.TTS)
S2S = Registry("s2s", SpeechToSpeech, builtins.S2S)
VAD = Registry("vad", VoiceActivityDetector, builtins.VAD)
TURN = Registry("turn", TurnDetector, builtins.TURN)
NOISE = Registry("noise", NoiseCanceller, builtins.NOISE)

ENGINES: Mapping[str, Registry[Any]] = MappingProxyType(
    {registry.kind: registry for registry in (STT, TTS, S2S, VAD, TURN, NOISE)}
)
"""The registry of each role that ``VoiceProvider.engines`` names."""

register = PROVIDERS.register
create = PROVIDERS.create
list_providers = PROVIDERS.names
is_registered = PROVIDERS.is_registered
get_provider = PROVIDERS.get
