"""The reference pages, made from the code when the documentation is built: nothing in them is typed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from generate import command_line, configuration, errors, http_api, messages, metrics, peers, python_api, redis_keys

PAGES: Mapping[str, Callable[[], str]] = {
    "backend_config": configuration.backend_config,
    "command_line": command_line.page,
    "deployment": configuration.deployment,
    "errors": errors.page,
    "http_api": http_api.page,
    "messages": messages.page,
    "metrics": metrics.page,
    "peers": peers.page,
    "python_api": python_api.page,
    "redis_keys": redis_keys.page,
    "session_config": configuration.session_config,
}
"""The Markdown that stands for each ``<!-- generated: NAME -->``."""
