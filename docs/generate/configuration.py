"""What can be configured: a call's fields, a session's, and where a deployment is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from generate.markdown import code, field_notes, prose, table
from voicebackend.config import BackendConfig
from voicebackend.limits import Limits
from voicebackend.session import SessionConfig
from voicebackend.settings import Deployment


def backend_config() -> str:
    """Return the fields of ``BackendConfig``, and below them those of the models in them."""
    return _model(BackendConfig, "VOICEBACKEND_") + "".join(_parts(BackendConfig, level=3))


def session_config() -> str:
    """Return the fields of ``SessionConfig``, and below them those of the models that only it has."""
    of_backend = {model for model, _ in _nested(BackendConfig)}
    return _model(SessionConfig, "") + "".join(_parts(SessionConfig, level=3, without=of_backend))


def deployment() -> str:
    """Return the variables that a deployment's processes read."""
    notes = field_notes(Limits) | field_notes(Deployment)
    return table(
        ["variable", "default", "what"],
        (
            (code(variable), _default(value), notes.get(variable.removeprefix("VOICEBACKEND_").lower(), ""))
            for variable, value in Deployment(home="~/.voicebackend").to_env().items()  # type: ignore[arg-type]
        ),
    )


def _model(model: type[BaseModel], prefix: str) -> str:
    notes = field_notes(model)
    head = ["field", "default", *(["variable"] if prefix else []), "what"]
    rows = []
    for name, field in model.model_fields.items():
        variable = [code(prefix + name.upper())] if prefix else []
        rows.append((code(name), _of_field(field), *variable, notes.get(name, "")))
    return table(head, rows)


def _parts(model: type[BaseModel], *, level: int, without: set[type[BaseModel]] | None = None) -> Iterator[str]:
    """Give each model that stands in a field a heading and a table of its own."""
    for part, path in _nested(model):
        if part not in (without or set()):
            yield f"\n{'#' * level} `{path}`\n\n{prose(part.__doc__)}\n\n{_model(part, '')}"


def _nested(model: type[BaseModel], path: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    for name, field in model.model_fields.items():
        for found in _models_in(field.annotation):
            yield found, f"{path}{name}"
            yield from _nested(found, f"{path}{name}.")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def _of_field(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if isinstance(value, BaseModel) else _default(value)


def _default(value: object) -> str:
    match value:
        case None | "" | () | []:
            return "none"
        case timedelta():
            return code(f"{value.total_seconds():g} s")
        case bool():
            return code(str(value).lower())
        case tuple() if len(value) > 4:  # noqa: PLR2004 - more would make the table's widest column
            return f"{len(value)} of them, such as {code(value[0])}"
    return code(value)
