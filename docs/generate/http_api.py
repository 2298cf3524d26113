"""The HTTP API, from the OpenAPI document that control serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from control.http.app import ALL_ROUTES
from control.http.openapi import describe
from generate.markdown import code, table

Schema = Mapping[str, Any]


def page() -> str:
    """Return every operation under its path's first word, then every body."""
    document = describe(ALL_ROUTES)
    parts: list[str] = []
    for resource, paths in sorted(_by_resource(document["paths"]).items()):
        parts.append(f"## {resource}\n")
        for path, operations in paths:
            parts += [_operation(method, path, told) for method, told in operations.items()]
    parts.append("## Bodies\n")
    parts += [_body(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n".join(parts)


def _by_resource(paths: Mapping[str, Schema]) -> dict[str, list[tuple[str, Schema]]]:
    found: dict[str, list[tuple[str, Schema]]] = {}
    for path, operations in paths.items():
        words = [word for word in path.split("/") if word and word != "v1"]
        found.setdefault(words[0].split(".")[0] if words else "root", []).append((path, operations))
    return found


def _operation(method: str, path: str, told: Schema) -> str:
    key = "" if told["security"] else " Needs no API key."
    lines = [f"### `{method.upper()} {path}`\n", f"{told['summary'].rstrip('.')}.{key}\n"]
    if "requestBody" in told:
        lines.append(f"Body: {_content(told['requestBody'])}.\n")
    lines.append(f"Answers: {'; '.join(_answers(told['responses']))}.\n")
    named = [one for one in told.get("parameters", ()) if one["in"] != "path"]
    if named:
        rows = ((code(one["name"]), one["in"], one.get("description", "")) for one in named)
        lines.append(table(["parameter", "in", "what"], rows))
    return "\n".join(lines)


def _answers(responses: Mapping[str, Schema]) -> Iterator[str]:
    for status, told in sorted(responses.items()):
        content = _content(told)
        if content and "Problem" not in content:
            yield f"{code(status)} {content}"
        else:
            codes = dict.fromkeys(told["description"].removeprefix("code: ").split(", "))
            yield f"{code(status)} {', '.join(codes)}"


def _content(told: Schema) -> str:
    names = []
    for media, inside in told.get("content", {}).items():
        name = _type(inside.get("schema", {}))
        names.append(name if media.endswith("json") and name else code(media))
    return ", ".join(names)


def _body(name: str, schema: Schema) -> str:
    about = " ".join(schema.get("description", "").split()).replace("``", "`")
    if "properties" not in schema:
        values = ", ".join(code(value) for value in schema.get("enum", ()))
        return f"### {name}\n\n{about} {values}\n"
    required = set(schema.get("required", ()))
    rows = (
        (code(field), _type(told), "yes" if field in required else "", told.get("description", ""))
        for field, told in schema["properties"].items()
    )
    return f"### {name}\n\n{about}\n\n" + table(["field", "type", "required", "what"], rows)


def _type(schema: Schema) -> str:
    """Return a type in a few words, with links to the bodies it names."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if options:
        return " or ".join(_type(option) for option in options)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    if "const" in schema:
        return code(schema["const"])
    return str(schema.get("format") or schema.get("type") or "")
