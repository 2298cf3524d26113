"""What may be kept of a session, class by class, and for how long; no policy never means for ever. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from control.records.data_class import DataClass
from control.records.redacting import RedactionSettings
from control.records.sweep import RATE
from voicebackend.config import invalid
from voicebackend.durations import Duration, seconds
from voicebackend.errors import InvalidConfig
from voicebackend.yaml_text import load_yaml

MAX_TTL_S = 10 * 366 * 86_400
"""Seconds for which anything is kept, at most."""
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}$")]
_EXAMPLE = "change-me"
"""So the key begins that stands in the documentation."""
_OP = "retention"
_CONSENT, _REDACTED = "consent", "redacted"
_ASKED_FOR = frozenset({DataClass.AUDIO, DataClass.DTMF, DataClass.TOOL_IO})
"""Never kept without a policy of their own: voices, keys that may be a card's, what tools know of a customer."""
_SPEAKS = frozenset({DataClass.TRANSCRIPT, DataClass.TOOL_IO, DataClass.METADATA, DataClass.TRACE})
"""What redaction can be done to: text."""
PROOF_S = 366 * 86_400.0
"""Seconds for which the proof of a consent stays after what it was for, where no policy says otherwise."""


class Keeping(StrEnum):
    """How much of it is written."""

    NONE = "none"
    REDACTED = "redacted"
    """Without telephone numbers, addresses, names and the like."""
    FULL = "full"


class Policy(BaseModel):
    """One line of the table: for a class of data, of the sessions that it fits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: _Name
    """Written into every object's entry and receipt."""
    data_class: Annotated[
        Literal[
            DataClass.AUDIO,
            DataClass.TRANSCRIPT,
            DataClass.DTMF,
            DataClass.TOOL_IO,
            DataClass.METADATA,
            DataClass.TRACE,
            DataClass.CONSENT,
        ],
        Field(alias="class"),
    ]
    tenant: _Name | None = None
    agent: _Name | None = None
    retention: _Name | None = None
    """The retention class that a telephone route gives its calls."""
    store: Keeping = Keeping.FULL
    consent: Literal["optional", "required"] = "optional"
    """Whether it is kept only of who consented to that, and from then on."""
    ttl: Annotated[Duration, seconds(0, MAX_TTL_S)] = timedelta(0)
    """From the session's end; 0 is never written."""

    @field_validator("store")
    @classmethod
    def _can_be_redacted(cls, value: Keeping, info: ValidationInfo) -> Keeping:
        kind = info.data.get("data_class")
        if value is Keeping.REDACTED and kind is not None and kind not in _SPEAKS:
            raise PydanticCustomError(
                "redaction", "{kind} cannot be redacted, only text can: none or full", {"kind": kind}
            )
        return value

    @field_validator("consent")
    @classmethod
    def _can_be_asked(cls, value: str, info: ValidationInfo) -> str:
        if value == "required" and info.data.get("data_class") is DataClass.CONSENT:
            raise PydanticCustomError("consent", "the proof of a consent needs none")
        return value

    @property
    def fits(self) -> tuple[str | None, str | None, str | None]:
        """What it asks of a session: tenant, agent, retention class."""
        return self.tenant, self.agent, self.retention

    @property
    def ttl_s(self) -> float:
        """Seconds that it lets data live; 0 is never written."""
        return 0.0 if self.store is Keeping.NONE else self.ttl.total_seconds()

    @property
    def needs_consent(self) -> bool:
        """Tell whether it is kept only of who consented."""
        return self.consent == "required"

    @property
    def is_redacted(self) -> bool:
        """Tell whether it is kept without what would tell who somebody is."""
        return self.store is Keeping.REDACTED


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one class of one session's data."""

    policy: str
    ttl_s: float
    """From the session's end; 0 is never written."""
    consent: bool = False
    """It is kept only of who consented to that, and from then on."""
    redacted: bool = False
    """It is kept without what would tell who somebody is."""


NOTHING = Rule("", 0.0)
"""Where no policy is for the session at all."""


@dataclass(frozen=True, slots=True)
class About:
    """What policies ask of a session."""

    tenant: str
    agent: str = ""
    retention: str = ""


class RetentionSettings(BaseModel):
    """The file that ``VOICEBACKEND_RETENTION`` names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str
    """``file:///folder`` or ``s3://bucket/prefix``."""
    subject_key: Annotated[SecretStr, Field(min_length=32)]
    """Makes the hashes by which a person's data is found; one for the deployment, for ever."""
    policies: Annotated[tuple[Policy, ...], Field(min_length=1)]
    sweep_rate: Annotated[float, Field(ge=1, le=100_000)] = RATE
    """Objects that one sweep deletes in a second, at most."""

    spool: Path | None = None
    """Where recordings lie until they are whole: a folder on this machine's disk; ``recordings`` in the home folder."""

    encrypt: bool = False
    """Each object has a key of its own, which goes with it: of copies and backups nothing can be read then."""
    audit: Annotated[Duration, seconds(86_400, MAX_TTL_S)] = timedelta(days=400)
    """For how long it is kept who read, exported, held or erased what."""

    redaction: RedactionSettings = RedactionSettings()
    """How what policies want ``redacted`` is redacted."""

    @field_validator("subject_key")
    @classmethod
    def _is_nobodys(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith(_EXAMPLE):
            raise PydanticCustomError("example", "everybody knows the guide's: make one by openssl rand -hex 32")
        return value

    @property
    def keeps_audio(self) -> bool:
        """Tell whether any policy lets recordings be kept."""
        return any(policy.data_class is DataClass.AUDIO and policy.ttl_s for policy in self.policies)

    @property
    def redacts(self) -> bool:
        """Tell whether any policy has text redacted."""
        return any(policy.is_redacted and policy.ttl_s for policy in self.policies)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Return the settings in a YAML file.

        Raises:
            InvalidConfig: it cannot be read, a field is wrong, or two policies are for the same.

        """
        try:
            return cls.of(load_yaml(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InvalidConfig(_OP, f"{path}: {type(error).__name__}", details={"field": str(path)}) from error

    @classmethod
    def of(cls, data: Any) -> Self:
        """Return the settings in what a file says; raises InvalidConfig as ``from_file``."""
        try:
            settings = cls.model_validate(data)
        except ValidationError as error:
            raise invalid(error, _OP) from None  # its words would show the key
        _check(settings.policies)
        _check_proofs(settings)
        return settings

    def rules(self, about: About) -> dict[DataClass, Rule]:
        """Return what holds for each class of a session's data; written down when it starts."""
        return {kind: self.rule(kind, about) for kind in DataClass if kind is not DataClass.RECEIPT}

    def rule(self, kind: DataClass, about: About) -> Rule:
        """Return the most specific policy's word; where none is for the class, the strictest of any that fits."""
        fitting = [policy for policy in self.policies if _fits(policy, about)]
        mine = [policy for policy in fitting if policy.data_class is kind]
        if mine:
            best = max(mine, key=_specific)
            return Rule(best.id, best.ttl_s, best.needs_consent, best.is_redacted)
        if kind is DataClass.CONSENT:
            return self._proof(about)
        fitting = [policy for policy in fitting if policy.data_class is not DataClass.CONSENT]
        if kind in _ASKED_FOR or not fitting:
            return NOTHING
        shortest = min(fitting, key=lambda policy: policy.ttl_s)
        consent = any(policy.needs_consent for policy in fitting)
        return Rule(shortest.id, shortest.ttl_s, consent, any(policy.is_redacted for policy in fitting))

    def _proof(self, about: About) -> Rule:
        """Return the rule for consents where no policy is for them: they outlive what they are for."""
        others = (self.rule(kind, about) for kind in DataClass if kind not in {DataClass.CONSENT, DataClass.RECEIPT})
        longest = max(others, key=lambda rule: rule.ttl_s)
        return Rule(longest.policy, longest.ttl_s + PROOF_S) if longest.ttl_s else NOTHING


def _fits(policy: Policy, about: About) -> bool:
    asked = zip(policy.fits, (about.tenant, about.agent, about.retention), strict=True)
    return all(wanted is None or wanted == found for wanted, found in asked)


def _specific(policy: Policy) -> tuple[bool, bool, bool]:
    """Order by what counts most: the tenant's own before the agent's, before the route's."""
    return policy.tenant is not None, policy.agent is not None, policy.retention is not None


def _check(policies: Iterable[Policy]) -> None:
    for one, other in combinations(policies, 2):
        if one.id == other.id:
            raise _conflict(other, f"there are two of the id {one.id!r}")
        if one.data_class is other.data_class and one.fits == other.fits:
            raise _conflict(other, f"it is for the same data as {one.id!r}")


def _check_proofs(settings: RetentionSettings) -> None:
    """Raise InvalidConfig if the proof of a consent would go before what it is for."""
    for policy in settings.policies:
        if not (policy.needs_consent and policy.ttl_s):
            continue
        for about in _abouts(policy, settings.policies):
            if settings.rule(policy.data_class, about).policy != policy.id:
                continue
            proof = settings.rule(DataClass.CONSENT, about)
            if proof.ttl_s < policy.ttl_s:
                message = f"{proof.policy!r} lets the proof of consent go before what it is for"
                raise _conflict(policy, message)


def _abouts(policy: Policy, others: Iterable[Policy]) -> Iterator[About]:
    """Yield one session of each kind that a policy fits, as far as policies for consents tell them apart."""
    proofs = [one.fits for one in others if one.data_class is DataClass.CONSENT]
    choices = [
        [mine] if mine is not None else sorted({"", *(one[at] or "" for one in proofs)})
        for at, mine in enumerate(policy.fits)
    ]
    return (About(*chosen) for chosen in product(*choices))


def _conflict(policy: Policy, message: str) -> InvalidConfig:
    return InvalidConfig(_OP, f"policy {policy.id!r}: {message}", details={"field": "policies"})


def snapshot(rules: Mapping[DataClass, Rule]) -> dict[str, Any]:
    """Return rules as a session's record has them: policy, seconds, then conditions if there are any."""
    return {kind.value: [rule.policy, rule.ttl_s, *_conditions(rule)] for kind, rule in rules.items()}


def _conditions(rule: Rule) -> list[str]:
    return [name for name, asked in ((_CONSENT, rule.consent), (_REDACTED, rule.redacted)) if asked]


def restored(data: Mapping[str, Any], kind: DataClass) -> Rule:
    """Read one rule of a record; what is not there is not kept."""
    found = data.get(kind.value)
    return Rule(str(found[0]), float(found[1]), _CONSENT in found[2:], _REDACTED in found[2:]) if found else NOTHING
