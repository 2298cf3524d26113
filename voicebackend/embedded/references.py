"""What of a configuration can go to another process: names as they are, objects as references to where they live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig
from voicebackend.frameworks.parts import PARTS, part_of
from voicebackend.hooks import (
    AudioProcessor,
    AuthHook,
    DataRetentionHook,
    RateLimiter,
    TelephonyHook,
    auth_hook_of,
    stages_of,
)

HOOKS: Mapping[str, type[Any]] = {
    "auth_hook": AuthHook,
    "rate_limiter": RateLimiter,
    "data_retention_hook": DataRetentionHook,
    "telephony_hook": TelephonyHook,
    "custom_processors": AudioProcessor,
}
"""The Protocol of each field whose objects can be called from another process."""
OBJECT_FIELDS = (*HOOKS, *PARTS)
"""Every field that may hold an object."""

Register = Callable[..., str]
"""``register(target, name=…, order=…, stages=…, part=…)`` returns a reference; ``part`` is called in its place."""


def with_references(config: BackendConfig, register: Register) -> BackendConfig:
    """Return the configuration with its hook objects registered and replaced by references.

    Raises:
        InvalidConfig: an object lacks its Protocol's methods, or is of a kind that cannot be called from elsewhere.

    """
    checked = {field: _values(config, field) for field in OBJECT_FIELDS}
    for field, values in checked.items():
        for value in values:
            _check(field, value)
    changes = {
        field: [value if isinstance(value, str) else _reference(field, value, register) for value in values]
        for field, values in checked.items()
        if values
    }
    single = {field: found if field == "custom_processors" else found[0] for field, found in changes.items()}
    return config.with_fields(**single)


def check_names_only(config: BackendConfig) -> None:
    """Return if no field holds an object.

    Raises:
        InvalidConfig: one does, and servers that run elsewhere cannot call it.

    """
    for field in OBJECT_FIELDS:
        for value in _values(config, field):
            if not isinstance(value, str):
                message = f"{field}: the servers run elsewhere; configure 'module:attr' where they are started"
                raise InvalidConfig("config", message, details={"field": field})


def _values(config: BackendConfig, field: str) -> list[Any]:
    value = getattr(config, field)
    if field == "custom_processors":
        return list(value)
    return [] if value is None else [value]


def _check(field: str, value: Any) -> None:
    if isinstance(value, str):
        return
    if field in PARTS:
        part_of(field, value)
        return
    protocol = HOOKS[field]
    if not isinstance(value, protocol):
        names = [name for name in dir(protocol) if not name.startswith("_")]
        message = f"{field}: {type(value).__name__} is no {protocol.__name__}; it needs {', '.join(names)}"
        raise InvalidConfig("config", message, details={"field": field})
    if field == "custom_processors":
        stages_of(value)


def _reference(field: str, value: Any, register: Register) -> str:
    if field == "custom_processors":
        return register(value, name=value.name, order=value.order, stages=sorted(stages_of(value)))
    if field == "auth_hook":
        return register(value, part=auth_hook_of(value))
    return register(value, part=part_of(field, value)) if field in PARTS else register(value)
