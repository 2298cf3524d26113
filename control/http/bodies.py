"""Reading request bodies: bounded, of the right type, validated before anything is done."""

from __future__ import annotations

import asyncio
import json
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from voicebackend.config import parse
from voicebackend.errors import InvalidConfig, InvalidFormat
from voicebackend.strict_json import read_message

MAX_JSON = 64 * 1024
"""Bytes in a JSON body."""
BODY_S = 10.0
"""Seconds within which all of a body must have come."""

Model = TypeVar("Model", bound=BaseModel)


async def read_bytes(request: web.Request, limit: int) -> bytes:
    """Return the body; more than ``limit`` bytes are answered with 413 without reading on, a late one with 408."""
    if (request.content_length or 0) > limit:
        raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > limit:
                    raise web.HTTPRequestEntityTooLarge(limit, len(body))
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    return bytes(body)


async def read_object(request: web.Request, *, op: str) -> dict[str, object]:
    """Return a JSON object.

    Raises:
        InvalidFormat: the content type is not JSON, or a name stands twice in an object.
        InvalidConfig: it is not a JSON object.

    """
    if request.content_type != "application/json":
        raise InvalidFormat(op, "send the header 'Content-Type: application/json'")
    try:
        data = read_message(await read_bytes(request, MAX_JSON), op=op)
        # NaN and what is larger than any number could not be answered, nor kept.
        json.dumps(data, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise InvalidConfig(op, "body: not JSON", details={"field": "body"}) from error
    if not isinstance(data, dict):
        raise InvalidConfig(op, "body: not a JSON object", details={"field": "body"})
    return data


async def read_model(request: web.Request, model: type[Model], *, op: str) -> Model:
    """Return a JSON body as this model; raises InvalidConfig naming the field that is wrong."""
    return parse(model, await read_object(request, op=op), op=op)


def whole_number(request: web.Request, name: str, *, default: int, low: int, high: int) -> int:
    """Return a query parameter that is a whole number in a range; raises InvalidConfig otherwise."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):  # noqa: PLR2004
        message = f"{name}: a whole number from {low} to {high}"
        raise InvalidConfig("request", message, details={"field": name})
    return int(text)
