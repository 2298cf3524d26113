"""The keys of everything in Redis. Pure."""

from __future__ import annotations

from hashlib import sha256

from voicebackend.call_keys import CallKeys
from voicebackend.record_keys import RecordKeys
from voicebackend.webhook_keys import WebhookKeys


class Keys(CallKeys, RecordKeys, WebhookKeys):
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

    def catalogue(self, id_: str) -> str:
        """In ``state``: JSON of what workers can run, shared by those that can run the same; expires after them."""
        return f"{self.prefix}:catalogue:{id_}"

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

    def session_join(self, session: str) -> str:
        """In ``state``: JSON ``{url, token}`` by which the session's caller joins its room; expires with the token."""
        return f"{self.prefix}:session:{session}:join"

    def turn(self, session: str, turn: int) -> str:
        """In ``state``: hash of a turn's attempts: by the worker ``current``, ``said``, ``committed``, ``cancelled``.

        By the task ``claimed`` and ``once:<key>``. ``said`` is what the current attempt is to answer.
        """
        return f"{self.prefix}:session:{session}:turn:{turn}"

    def turn_alive(self, session: str, turn: int) -> str:
        """In ``state``: the attempt that a task is answering; goes out within a second when its process is gone."""
        return f"{self.prefix}:session:{session}:turn:{turn}:alive"

    def turn_digits(self, session: str, turn: int) -> str:
        """In ``state``: sensitive keys that the caller pressed, sealed; deleted when the agent reads them."""
        return f"{self.prefix}:session:{session}:turn:{turn}:digits"

    def turn_audio(self, session: str) -> str:
        """In ``audio``: the caller's latest turn as PCM behind its number, for a model that hears; for a minute."""
        return f"{self.prefix}:session:{session}:turn-audio"

    def masked(self, session: str) -> str:
        """In ``state``: present while the session is in sensitive mode; expires when that ends at the latest."""
        return f"{self.prefix}:session:{session}:masked"

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

    def tenant_seconds(self, tenant: str, day: str) -> str:
        """In ``state``: seconds of the tenant's sessions that ended on a day, UTC; expires after the next."""
        return f"{self.prefix}:tenant:{tenant}:seconds:{day}"

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

    def sip_order(self, call_id: str, attempt: int) -> str:
        """In ``state``: what came of an attempt that LiveKit's SIP service was asked for."""
        return f"{self.prefix}:sip-order:{call_id}:{attempt}"

    def handover(self, session: str) -> str:
        """In ``state``: hash ``{standing, sorry}`` of a call that is handed over; expires when it stays away."""
        return f"{self.prefix}:session:{session}:handover"

    def handover_wish(self, session: str) -> str:
        """In ``state``: hash ``{turn, to, sorry}`` of what an agent wants once its words were heard."""
        return f"{self.prefix}:session:{session}:handover-wish"

    def ticket(self, ticket: str) -> str:
        """In ``state``: the token that a carrier's stream gets for this ticket, once; keys' names tell no ticket."""
        return f"{self.prefix}:ticket:{sha256(ticket.encode()).hexdigest()}"

    def used_token(self, token_id: str) -> str:
        """In ``state``: present while a token that was used could still be replayed."""
        return f"{self.prefix}:used:{token_id}"

    def webhook(self, event: str) -> str:
        """In ``state``: present while an event that a vendor told may be told again."""
        return f"{self.prefix}:webhook:{event}"

    def token_secret(self) -> str:
        """In ``state``: the key that signs tokens, where the deployment gives none. Permanent."""
        return f"{self.prefix}:token-secret"

    def api_key(self, key_id: str) -> str:
        """In ``state``: hash, what is known of one API key. Lives until it is revoked, or was rotated."""
        return f"{self.prefix}:api-key:{key_id}"

    def api_keys(self, tenant: str) -> str:
        """In ``state``: set of the ids of a tenant's API keys."""
        return f"{self.prefix}:api-keys:{tenant}"

    def request_rate(self, tenant: str, route: str, address: str) -> str:
        """In ``state``: when a tenant's requests from an address are paid for, ms since the epoch (GCRA)."""
        return f"{self.prefix}:rate:{sha256(f'{tenant} {route} {address}'.encode()).hexdigest()[:32]}"

    def resume(self, session: str) -> str:
        """In ``state``: id of the one resume token that is good now."""
        return f"{self.prefix}:session:{session}:resume"

    def outbound(self, call_id: str) -> str:
        """In ``state``: hash ``{version, call}`` of a call that we make."""
        return f"{self.prefix}:outbound:call:{call_id}"

    def outbound_due(self, trunk: str) -> str:
        """In ``state``: sorted set of a trunk's planned calls by when they are due, seconds since the epoch."""
        return f"{self.prefix}:outbound:trunk:{trunk}:due"

    def outbound_active(self, trunk: str) -> str:
        """In ``state``: sorted set of the calls that the trunk has at its carrier, by when they are looked at."""
        return f"{self.prefix}:outbound:trunk:{trunk}:active"

    def outbound_next(self, trunk: str) -> str:
        """In ``state``: when the trunk may dial again, seconds since the epoch."""
        return f"{self.prefix}:outbound:trunk:{trunk}:next"

    def outbound_calls(self, tenant: str) -> str:
        """In ``state``: sorted set of a tenant's calls by when they were asked for."""
        return f"{self.prefix}:outbound:tenant:{tenant}"

    def outbound_key(self, tenant: str, idempotency: str) -> str:
        """In ``state``: ``call digest`` of the request that came with this idempotency key."""
        return f"{self.prefix}:outbound:key:{tenant}:{sha256(idempotency.encode()).hexdigest()[:32]}"

    def outbound_consent(self, call_id: str) -> str:
        """In ``state``: JSON of the consent to a call; it outlives the call."""
        return f"{self.prefix}:outbound:consent:{call_id}"

    def outbound_mock(self, call_id: str, attempt: int) -> str:
        """In ``state``: when the mock carrier got the order, and whether it was hung up."""
        return f"{self.prefix}:outbound:mock:{call_id}:{attempt}"

    def do_not_call(self, tenant: str) -> str:
        """In ``state``: hash of the numbers that a tenant may not call. Permanent."""
        return f"{self.prefix}:do-not-call:{tenant}"

    def leader(self, role: str) -> str:
        """In ``state``: the process that leads in this role."""
        return f"{self.prefix}:leader:{role}"

    def dead_letters(self) -> str:
        """In ``state``: stream of tasks that were given up, with the reason; capped. Permanent."""
        return f"{self.prefix}:dead-letters"

    def expiring(self) -> tuple[str, ...]:
        """Return how the keys begin of which there are as many as sessions, sockets or tasks: each must expire."""
        kinds = (
            "{lane:",
            "inbox:",
            "lane:",
            "worker:",
            "session:",
            "tenant:",
            "queue:",
            "task:",
            "used:",
            "webhook:",
            "webhook-delivery:",
            "call:",
            "calls:",
            "ticket:",
            "sip-order:",
            "outbound:",
            "rate:",
        )
        return tuple(f"{self.prefix}:{kind}" for kind in kinds)

    def permanent(self) -> frozenset[str]:
        """Return the keys that may live without a time to live."""
        return frozenset({self.last_epoch(), self.token_secret(), self.dead_letters()})

    def lasting(self) -> tuple[str, ...]:
        """Return how the keys begin that live as long as what people decided: policies, lists, webhooks, API keys."""
        kinds = ("records:", "do-not-call:", "webhooks:", "api-key:", "api-keys:")
        return tuple(f"{self.prefix}:{kind}" for kind in kinds)
