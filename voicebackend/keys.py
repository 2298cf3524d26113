"""The keys of everything in Redis. Pure."""

from __future__ import annotations


class Keys:
    """Every Redis key, by what it holds. One lane's keys share a hash tag: Redis Cluster keeps them together."""

    def __init__(self, prefix: str = "vb") -> None:
        self.prefix = prefix

    def lane(self, lane: int) -> str:
        """In ``audio``: stream of everything addressed to the lane's sessions."""
        return f"{self.prefix}:{{lane:{lane}}}:in"

    def lane_epoch(self, lane: int) -> str:
        """In ``audio``: the lane's epoch, for fencing next to the stream."""
        return f"{self.prefix}:{{lane:{lane}}}:epoch"

    def lane_checkpoint(self, lane: int) -> str:
        """In ``audio``: hash of what a takeover starts from: ``position``, ``takeovers``, sessions by id."""
        return f"{self.prefix}:{{lane:{lane}}}:checkpoint"

    def inbox(self, owner: str) -> str:
        """In ``audio``: stream of what goes to one gateway's callers, or of calls to one process."""
        return f"{self.prefix}:inbox:{owner}"

    def lease(self, lane: int) -> str:
        """In ``state``: ``worker:epoch`` of who holds the lane."""
        return f"{self.prefix}:lease:{lane}"

    def lanes(self) -> str:
        """In ``state``: sorted set of lanes by when their lease lapses or was given up, ms since the epoch."""
        return f"{self.prefix}:lanes"

    def last_epoch(self) -> str:
        """In ``state``: hash of the last epoch issued for each lane. Permanent."""
        return f"{self.prefix}:epochs"

    def lane_sessions(self, lane: int) -> str:
        """In ``state``: set of the sessions that have a slot in the lane."""
        return f"{self.prefix}:lane:{lane}:sessions"

    def worker(self, worker: str) -> str:
        """In ``state``: hash of what a worker announces; disappears with it."""
        return f"{self.prefix}:worker:{worker}"

    def worker_lanes(self, worker: str) -> str:
        """In ``state``: set of the lanes that a worker claimed; it holds those whose lease says so."""
        return f"{self.prefix}:worker:{worker}:lanes"

    def of_any_lane(self) -> tuple[str, str]:
        """Return lease and sessions of a lane with ``%d`` for its number, for scripts in ``state``, no cluster."""
        return f"{self.prefix}:lease:%d", f"{self.prefix}:lane:%d:sessions"

    def workers(self) -> str:
        """In ``state``: sorted set of workers by when they were last seen."""
        return f"{self.prefix}:workers"

    def config(self) -> str:
        """In ``state``: hash ``{version, config}`` of a configuration given by ``update_config``."""
        return f"{self.prefix}:config"

    def session(self, session: str) -> str:
        """In ``state``: hash, the session's record."""
        return f"{self.prefix}:session:{session}"

    def session_log(self, session: str) -> str:
        """In ``state``: stream of the session's events, oldest first; the lane's holder appends it."""
        return f"{self.prefix}:session:{session}:log"

    def turn(self, session: str, turn: int) -> str:
        """In ``state``: hash of a turn's attempts: by the worker ``current``, ``said``, ``committed``, ``cancelled``.

        By the task ``claimed`` and ``once:<key>``. ``said`` is what the current attempt is to answer.
        """
        return f"{self.prefix}:session:{session}:turn:{turn}"

    def turn_alive(self, session: str, turn: int) -> str:
        """In ``state``: the attempt that a task is answering; goes out within a second when its process is gone."""
        return f"{self.prefix}:session:{session}:turn:{turn}:alive"

    def sessions(self, tenant: str) -> str:
        """In ``state``: sorted set of a tenant's sessions by when they were created."""
        return f"{self.prefix}:tenant:{tenant}:sessions"

    def live_sessions(self) -> str:
        """In ``state``: sorted set of the sessions that are not over, by when the reconciler looks at them."""
        return f"{self.prefix}:live"

    def live_by_tenant(self) -> str:
        """In ``state``: sorted set of ``tenant NUL session`` of the sessions that are not over, all with score 0."""
        return f"{self.prefix}:live-by-tenant"

    def tenant_rate(self, tenant: str) -> str:
        """In ``state``: when the tenant's creations so far are paid for, in ms since the epoch (GCRA)."""
        return f"{self.prefix}:tenant:{tenant}:rate"

    def queue(self, provider: str) -> str:
        """In ``state``: sorted set of the sessions that wait for a slot with this provider, by when they came."""
        return f"{self.prefix}:queue:{provider}"

    def queue_turns(self, provider: str) -> str:
        """In ``state``: hash of when each tenant last got a slot out of the provider's queue, ms since the epoch."""
        return f"{self.prefix}:queue:{provider}:turns"

    def lapsed_lanes(self) -> str:
        """In ``state``: sorted set of the lanes that nobody holds, by when the reconciler first saw it."""
        return f"{self.prefix}:lapsed-lanes"

    def looked_at_keys(self) -> str:
        """In ``state``: present until it is time to look for keys without a time to live."""
        return f"{self.prefix}:looked-at-keys"

    def deliveries(self, task_id: str) -> str:
        """In ``state``: how often Celery has begun to run a task that has not come to an end."""
        return f"{self.prefix}:task:{task_id}:deliveries"

    def used_token(self, token_id: str) -> str:
        """In ``state``: present while a token that was used could still be replayed."""
        return f"{self.prefix}:used:{token_id}"

    def token_secret(self) -> str:
        """In ``state``: the key that signs tokens, where the deployment gives none. Permanent."""
        return f"{self.prefix}:token-secret"

    def resume(self, session: str) -> str:
        """In ``state``: id of the one resume token that is good now."""
        return f"{self.prefix}:session:{session}:resume"

    def leader(self, role: str) -> str:
        """In ``state``: the process that leads in this role."""
        return f"{self.prefix}:leader:{role}"

    def dead_letters(self) -> str:
        """In ``state``: stream of tasks that were given up, with the reason; capped. Permanent."""
        return f"{self.prefix}:dead-letters"

    def expiring(self) -> tuple[str, ...]:
        """Return how the keys begin of which there are as many as sessions, sockets or tasks: each must expire."""
        kinds = ("{lane:", "inbox:", "lane:", "worker:", "session:", "tenant:", "queue:", "task:", "used:")
        return tuple(f"{self.prefix}:{kind}" for kind in kinds)

    def permanent(self) -> frozenset[str]:
        """Return the keys that may live without a time to live."""
        return frozenset({self.last_epoch(), self.token_secret(), self.dead_letters()})
