"""Reads scenario files. What is wrong in one is told with its file, line and field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from voicebackend.errors import InvalidConfig
from voicebackend.yaml_text import compose_yaml, load_yaml
from worker.scenarios.format import Scenario

MAX_BYTES = 64 * 1024
"""Longest file."""
SUFFIXES = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A scenario and where it stands."""

    path: Path
    scenario: Scenario


def find(paths: Iterable[Path]) -> list[Path]:
    """Return the scenario files that these files and folders stand for, in order.

    Raises:
        InvalidConfig: there is nothing of this name, or nothing in it.

    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
        files = [path] if path.is_file() else inside
        if not files:
            raise InvalidConfig("scenario", f"{path}: no scenario here, a file that ends in .yaml")
        found += files
    return found


def load(path: Path) -> File:
    """Return the scenario of a file.

    Raises:
        InvalidConfig: it cannot be read, or is no scenario; the message names file, line and field.

    """
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > MAX_BYTES:
            raise InvalidConfig("scenario", f"{path}: a scenario has at most {MAX_BYTES // 1024} KiB")
        root = compose_yaml(text)
        _refuse_twice(path, root)
        data = load_yaml(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig("scenario", f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InvalidConfig("scenario", f"{path}{line}: not YAML: {getattr(error, 'problem', error)}") from error
    try:
        return File(path=path, scenario=Scenario.model_validate(data))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False)
        first = next(
            (one for one in wrong if one["type"] == "extra_forbidden"), wrong[0]
        )  # mistyped: one is missing too
        number, field = _place(root, first["loc"])
        message = f"{path}:{number}: {field}: {first['msg'].removeprefix('Value error, ')}"
        raise InvalidConfig("scenario", message, details={"field": field, "line": number}) from error


def _place(root: yaml.Node | None, loc: Sequence[Any]) -> tuple[int, str]:
    """Return the line and the written name of what pydantic names; names of variants do not stand in the file."""
    node, line, field = root, 1, ""
    for part in loc:
        following = _child(node, part)
        if following is None:
            continue
        key, node = following
        line = key.start_mark.line + 1
        field += f"[{part}]" if isinstance(part, int) else f"{'.' if field else ''}{part}"
    missing = "" if not loc or _ends_with(field, loc[-1]) else f"{'.' if field else ''}{loc[-1]}"
    return line, field + missing or "the file"


def _ends_with(field: str, part: Any) -> bool:
    return field.endswith(f"[{part}]" if isinstance(part, int) else str(part))


def _child(node: yaml.Node | None, part: Any) -> tuple[yaml.Node, yaml.Node] | None:
    """Return a part's own node, with the one that tells its line."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _refuse_twice(path: Path, node: yaml.Node | None) -> None:
    """Refuse a mapping that has a name twice: YAML would take the last without a word."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key.value, str) and key.value in seen:
                raise InvalidConfig("scenario", f"{path}:{key.start_mark.line + 1}: {key.value} is there twice")
            seen.add(str(key.value))
            _refuse_twice(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twice(path, item)
