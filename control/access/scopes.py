"""Which scope of an API key each operation needs, and whose it is: a tenant's own, or everyone's. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from control.access.principal import OPERATOR

AREAS: Mapping[str, str] = {
    "sessions": "sessions",
    "providers": "sessions",
    "calls": "calls",
    "do_not_call": "calls",
    "telephony": "calls",
    "records": "records",
    "links": "records",
    "exports": "retention",
    "erasures": "retention",
    "holds": "retention",
    "audit": "retention",
    "retention": "retention",
    "webhooks": "webhooks",
    "config": "config",
    "routing": "config",
    "workers": "operations",
    "queues": "operations",
    "api_keys": "keys",
}
"""A scope's area, by how operations begin."""
_EVERYONES = ("config.", "routing.", "workers.", "queues.", "retention.state")
_READS = frozenset({"GET", "HEAD"})


def scope_of(operation: str, method: str) -> str:
    """Return the scope that a request needs; raises KeyError for an operation of no area."""
    return f"{AREAS[operation.partition('.')[0]]}:{'read' if method in _READS else 'write'}"


def owner_of(operation: str, tenant: str) -> str:
    """Return whose the thing is that an operation of this tenant is about.

    Of other tenants there is nothing to ask for: their things are looked for among the tenant's own, and not found.
    """
    return OPERATOR if operation.startswith(_EVERYONES) else tenant
