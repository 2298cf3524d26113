"""What an item of a queue must have to be a task: who may write to the broker may write anything. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any


def is_message(item: object) -> bool:
    """Tell whether JSON from a queue is a message, which kombu takes for granted."""
    match item:
        case {
            "body": str(body),
            "content-type": str(),
            "content-encoding": str(),
            "headers": dict(),
            "properties": {
                "delivery_tag": str(tag),
                "delivery_info": {"exchange": str(), "routing_key": str()},
                "body_encoding": "base64",
            },
        }:
            return tag.isascii() and _is_base64(body)
    return False


def is_task(headers: Mapping[str, Any], arguments: object) -> bool:
    """Tell whether a message's headers and body are those of a task, which Celery takes for granted."""
    match headers, arguments:
        case {"task": str(), "id": str()}, [list(), dict(), dict()]:
            moments = headers.get("eta"), headers.get("expires")
            stamps = headers.get("stamped_headers")
            return all(map(_is_moment, moments)) and _are_limits(headers.get("timelimit")) and _are_names(stamps)
    return False


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_moment(moment: Any) -> bool:
    """Tell whether Celery reads this or says what is wrong with it: of the empty ones it does neither."""
    return moment is None or (isinstance(moment, str) and bool(moment))


def _are_limits(limits: Any) -> bool:
    """Tell whether these are none, or seconds until a task's hard and soft end."""
    if limits is None:
        return True
    return isinstance(limits, list) and len(limits) == 2 and all(it is None or _is_number(it) for it in limits)  # noqa: PLR2004 - hard and soft


def _is_number(limit: Any) -> bool:
    return isinstance(limit, int | float) and not isinstance(limit, bool) and 0 <= limit < float("inf")


def _are_names(stamps: Any) -> bool:
    return stamps is None or (isinstance(stamps, list) and all(isinstance(it, str) for it in stamps))
