"""The keys of webhooks that we send: where they go, and what is on its way. Pure."""

from __future__ import annotations


class WebhookKeys:
    """A part of ``Keys``. All of these are in ``state``."""

    prefix: str

    def webhook_endpoints(self, tenant: str) -> str:
        """In ``state``: hash of a tenant's endpoints: JSON of each by its id, its secrets sealed."""
        return f"{self.prefix}:webhooks:endpoints:{tenant}"

    def webhooks_waiting(self) -> str:
        """In ``state``: sorted set of ``tenant:endpoint`` with deliveries not done, by when to look there, seconds."""
        return f"{self.prefix}:webhooks:waiting"

    def webhooks_due(self, tenant: str, endpoint: str) -> str:
        """In ``state``: sorted set of an endpoint's deliveries that are not done, by when they are due, seconds."""
        return f"{self.prefix}:webhooks:due:{tenant}:{endpoint}"

    def webhook_tries(self, tenant: str) -> str:
        """In ``state``: sorted set of ``endpoint:delivery`` of a tenant's tries, by when their lease ends, seconds."""
        return f"{self.prefix}:webhooks:tries:{tenant}"

    def webhook_health(self, tenant: str, endpoint: str) -> str:
        """In ``state``: hash of an endpoint's ``failures`` in a row, and ``until`` when it is left alone, seconds."""
        return f"{self.prefix}:webhooks:health:{tenant}:{endpoint}"

    def webhooks_undelivered(self, tenant: str) -> str:
        """In ``state``: sorted set of a tenant's deliveries that were given up, by when that was, seconds."""
        return f"{self.prefix}:webhooks:undelivered:{tenant}"

    def webhooks_declared(self) -> str:
        """In ``state``: set of the tenants that have endpoints by the deployment's file."""
        return f"{self.prefix}:webhooks:declared"

    def webhook_delivery(self, id_: str) -> str:
        """In ``state``: hash of one event on its way to one endpoint; a bare marker for an hour after it arrived."""
        return f"{self.prefix}:webhook-delivery:{id_}"
