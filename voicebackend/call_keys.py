"""The keys of telephone calls that come in: what is known of each, what limits them, how targets are doing. Pure."""

from __future__ import annotations

from hashlib import sha256


class CallKeys:
    """A part of ``Keys``. All of these are in ``state``, and expire."""

    prefix: str

    def call(self, trunk: str, call_id: str) -> str:
        """In ``state``: the session of a carrier's call, ``!`` and why it was refused, ``-`` and who is taking it."""
        return f"{self.prefix}:call:{trunk}:{_short(call_id)}"

    def webhook_signature(self, trunk: str, signature: str) -> str:
        """In ``state``: exists once a carrier's webhook with this signature, which has no time, has come."""
        return f"{self.prefix}:webhook:{trunk}:{_short(signature)}"

    def known_call(self, tenant: str, call_id: str) -> str:
        """In ``state``: hash of what signalling told of a tenant's call, and what became of it."""
        return f"{self.prefix}:tenant:{tenant}:call:{_short(call_id)}"

    def session_call(self, session: str) -> str:
        """In ``state``: JSON of the call that a session is for: its route, target and tenant. Goes with its end."""
        return f"{self.prefix}:session:{session}:call"

    def live_calls(self) -> str:
        """In ``state``: sorted set of the sessions that hold a call, by when they got it, seconds since the epoch."""
        return f"{self.prefix}:calls:live"

    def calls_of(self, kind: str, name: str) -> str:
        """In ``state``: sorted set of the sessions that count against a limit of a ``route`` or ``target``."""
        return f"{self.prefix}:calls:{kind}:{name}"

    def call_starts(self, route: str) -> str:
        """In ``state``: sorted set of a route's last calls by when they came, ms since the epoch."""
        return f"{self.prefix}:calls:starts:{route}"

    def call_counts(self, tenant: str, day: str) -> str:
        """In ``state``: hash of a tenant's calls of a day, counted by what became of them."""
        return f"{self.prefix}:tenant:{tenant}:calls:{day}"

    def calling_tenants(self, day: str) -> str:
        """In ``state``: set of the tenants that had calls on a day."""
        return f"{self.prefix}:calls:tenants:{day}"

    def targets(self) -> str:
        """In ``state``: hash of JSON by target of the routing table: whether it takes calls."""
        return f"{self.prefix}:calls:targets"

    def routing_tables(self) -> str:
        """In ``state``: sorted set of control processes, with the versions that they route by, by when they said so."""
        return f"{self.prefix}:calls:tables"

    def routing_table(self, version: str) -> str:
        """In ``state``: JSON of the targets of a routing table."""
        return f"{self.prefix}:calls:table:{version}"

    def checked_providers(self) -> str:
        """In ``state``: hash of the providers that workers check, and every how many seconds."""
        return f"{self.prefix}:calls:checked"


def _short(call_id: str) -> str:
    return sha256(call_id.encode()).hexdigest()[:32]
