"""The API's OpenAPI description, made from the routes and the pydantic models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from control.http.problems import MEDIA_TYPE
from control.http.routing import Content, Route
from control.http.schemas import Problem
from voicebackend.errors import HTTP_STATUS, ErrorCode

_EVERYWHERE = (ErrorCode.PIPELINE_ERROR,)
_WITH_KEY = (ErrorCode.AUTHENTICATION_FAILED, ErrorCode.AUTHORIZATION_FAILED)
_REF = "#/components/schemas/{model}"


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Voicebackend", "version": "1", "description": "Live voice agents over HTTP and websocket."},
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    contents = [content for route in routes for content in (route.body, *route.answers.values())]
    models = {content for content in contents if isinstance(content, type)} | {Problem}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, document = models_json_schema([(model, "validation") for model in ordered], ref_template=_REF)
    return dict(document["$defs"])


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.about,
        "security": [] if route.public else [{"apiKey": []}],
        "responses": {
            **{str(status): _answer(status, content) for status, content in route.answers.items()},
            **_problems(route),
        },
    }
    parameters = [*_path_parameters(route.path), *_parameters(route)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "in": one.location, "description": one.about, "schema": {"type": one.type}}
        for one in route.parameters
    ]


def _answer(status: int, content: Content) -> dict[str, Any]:
    said: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if content is not None:
        said["content"] = _content(content)
    return said


def _content(content: type[BaseModel] | str | tuple[str, ...]) -> dict[str, Any]:
    if isinstance(content, tuple):
        return {type_: described for one in content for type_, described in _content(one).items()}
    if isinstance(content, str):
        schema = {} if content.endswith("json") else {"schema": {"type": "string"}}
        return {content: schema}
    return {"application/json": {"schema": {"$ref": _REF.format(model=content.__name__)}}}


def _problems(route: Route) -> dict[str, Any]:
    codes = (*route.errors, *(() if route.public else _WITH_KEY), *_EVERYWHERE)
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(HTTP_STATUS[code], []).append(str(code))
    if route.body is not None:
        by_status.setdefault(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, []).append(str(ErrorCode.INVALID_FORMAT))
    schema = {"schema": {"$ref": _REF.format(model=Problem.__name__)}}
    return {
        str(int(status)): {"description": "code: " + ", ".join(names), "content": {MEDIA_TYPE: schema}}
        for status, names in by_status.items()
        if status not in route.answers
    }
