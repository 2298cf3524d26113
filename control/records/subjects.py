"""Who a session is about, in a form that finds their objects and tells nobody who they are. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subjects:
    """Makes keyed hashes of user ids and numbers; without the key nobody can try numbers until one fits."""

    key: bytes

    def __repr__(self) -> str:
        return "<Subjects>"

    def of(self, tenant: str, name: str) -> str:
        """Return the hash of a tenant's user id or E.164 number: 32 hexadecimal digits."""
        return hmac.digest(self.key, f"{tenant}\0{name}".encode(), "sha256").hex()[:32]

    def all(self, tenant: str, names: Iterable[str]) -> tuple[str, ...]:
        """Return the hashes of those that are not empty, each once."""
        return tuple(dict.fromkeys(self.of(tenant, name) for name in names if name))
