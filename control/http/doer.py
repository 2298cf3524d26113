"""Who did something, as audit, holds, erasures and proofs tell it for years: never by name."""

from __future__ import annotations

from control.access.principal import Principal
from control.session_services import SessionServices

TRUNK = "trunk:"
"""How the deployment's own trunks are called."""


def doer(services: SessionServices, principal: Principal) -> str:
    """Return ``key-…`` or ``trunk:…`` for what is ours, ``subject-<keyed hash>`` for an AuthHook's user.

    The hash is that of ``records.subjects``: whoever names a user finds what they did. Where no records are kept there
    is no key to make it with, and it is ``user``: what is noted then is gone an hour after its session.
    """
    if services.hooks.find("auth_hook") is None or principal.user_id.startswith(TRUNK):
        return principal.user_id
    if services.cabinet is None:
        return "user"
    return f"subject-{services.cabinet.subjects.of(principal.tenant, principal.user_id)}"
