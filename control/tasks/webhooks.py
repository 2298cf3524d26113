"""``webhooks.*``: have events delivered that are due, each by a task of its own, until its endpoint has taken it."""

from __future__ import annotations

import logging
import random
import time

from control import context, loop
from control.context import TaskContext
from control.outbox.deliveries import Deliveries
from control.outbox.delivery import Answer, Delivery, Outcome, decide
from control.outbox.endpoints import Endpoints
from control.outbox.sender import TRY_S, send
from voicebackend.errors import InvalidFormat
from voicebackend.telemetry import webhook_tries

logger = logging.getLogger(__name__)

AT_ONCE = 200
"""Endpoints looked at by one sweep."""
SWEEP_S = 3.0
"""Seconds for one sweep."""
_LEVELS = {Outcome.DELIVERED: logging.INFO, Outcome.AGAIN: logging.WARNING, Outcome.GIVEN_UP: logging.ERROR}


def deliver(delivery_id: str) -> None:
    """Try once to deliver an event to an endpoint."""
    loop.run(try_once(context.current(), delivery_id), TRY_S + 10)


def sweep() -> None:
    """Have deliveries tried that are due."""
    loop.run(_sweep(context.current()), SWEEP_S)


async def _sweep(shared: TaskContext) -> None:
    for tenant, endpoint in await Deliveries(shared.state, shared.keys).due(AT_ONCE):
        await _tell(shared, tenant, endpoint)


async def _tell(shared: TaskContext, tenant: str, endpoint: str) -> None:
    """Have tried what is due at an endpoint, as many at once as it may have."""
    due = await Deliveries(shared.state, shared.keys).take(tenant, endpoint)
    for delivery_id in due.taken:
        await shared.outbox.deliver(delivery_id)
    if due.given_up:
        webhook_tries.add(len(due.given_up), {"outcome": Outcome.GIVEN_UP.value})
        extra = {"tenant": tenant, "webhook": endpoint, "deliveries": len(due.given_up)}
        logger.error("webhooks given up: their endpoint fails", extra=extra)


async def try_once(shared: TaskContext, delivery_id: str) -> None:
    """Try a delivery, if it is to be tried now, note what came of it, and have the endpoint's next one tried."""
    deliveries = Deliveries(shared.state, shared.keys)
    delivery = await deliveries.claim(delivery_id)
    if delivery is None:
        return
    answer = await _tried(shared, delivery)
    removed = answer is None
    if answer is None:
        outcome, due, answer = Outcome.GIVEN_UP, 0.0, Answer(error="the webhook was removed")
    else:
        outcome, due = decide(delivery, answer, time.time(), random.random())  # noqa: S311 - jitter
    if await deliveries.settle(delivery, answer, outcome, due, removed=removed):
        webhook_tries.add(1, {"outcome": outcome.value})
        told = {"delivery": delivery.id, "type": delivery.type, "session_id": delivery.session}
        how = {"outcome": outcome.value, "attempt": delivery.attempts, "status": answer.status, "why": answer.error}
        logger.log(_LEVELS[outcome], "webhook tried", extra={**told, **how})
    await _tell(shared, delivery.tenant, delivery.endpoint)


async def _tried(shared: TaskContext, delivery: Delivery) -> Answer | None:
    """Return what the endpoint answers; None if there is no such endpoint any more."""
    endpoints = Endpoints(shared.state, shared.deployment)
    endpoint = await endpoints.find(delivery.tenant, delivery.endpoint)
    if endpoint is None:
        return None
    try:
        secrets = await endpoints.secrets_of(delivery.tenant, endpoint)
    except InvalidFormat:
        return Answer(error="its secret was sealed by another VOICEBACKEND_TOKEN_SECRET: give it a new one")
    return await send(delivery, endpoint.url, secrets, private=shared.deployment.private_webhooks)
