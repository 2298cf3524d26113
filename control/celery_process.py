"""What a Celery process does besides tasks: its logs, loading agents, and leaving nothing open at its end."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from functools import cache
from typing import Any

from celery import signals
from celery.platforms import SecurityWarning

from control import context
from control.agents.hung_threads import hung_threads
from control.consumer_watch import ConsumerWatch
from control.loop import LoopStuck
from voicebackend._importer import load
from voicebackend.agents import load_agents
from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig
from voicebackend.process import observe, settle
from voicebackend.settings import Deployment
from voicebackend.tasks import TASKS, Queue

logger = logging.getLogger(__name__)

QUIET = {
    "celery.app.trace": logging.CRITICAL,  # shows exceptions' words; control.tasks.wrapper logs failures
    "celery.worker.strategy": logging.WARNING,
    "celery.beat": logging.WARNING,
}
"""Celery's loggers that say too much, and from which level on they are heard."""


def follow() -> None:
    """Have Celery call the functions below when its processes start and end."""
    signals.celeryd_init.connect(_no_noise)
    signals.setup_logging.connect(_configure_telemetry)
    signals.worker_init.connect(_start)
    signals.worker_process_init.connect(_warm_up)
    signals.worker_ready.connect(_warm_up)
    signals.worker_ready.connect(_watch)
    signals.worker_process_shutdown.connect(_stop)
    signals.worker_shutdown.connect(_stop)


def _no_noise(instance: Any, **_: Any) -> None:
    instance.quiet = True
    warnings.simplefilter("ignore", SecurityWarning)  # of running as root, which is for pickle; we take JSON only


def _configure_telemetry(**_: Any) -> None:
    _configure_once()


@cache
def _configure_once() -> None:
    observe("celery", BackendConfig.from_env())
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)


def _start(sender: Any, **_: Any) -> None:
    """Prepare a worker before its pool starts, so that children are forked with everything imported."""
    sender.options.update(without_mingle=True, without_gossip=True)  # a second saved: workers need not know each other
    try:
        _configure_once()
    except InvalidConfig as error:
        raise SystemExit(str(error)) from None  # the cause shows the value, which may be a secret
    try:
        for task in TASKS.values():
            load(task.function, field=task.name)
        if Queue.AGENTS in sender.app.amqp.queues.consume_from:
            load_agents(Deployment.from_env().agents)
    except Exception as error:
        logger.critical("worker cannot start", exc_info=error)
        raise SystemExit(1) from error
    hung_threads.recycle = _recycle


def _warm_up(**_: Any) -> None:
    context.current()
    settle()


def _watch(sender: Any, **_: Any) -> None:
    """Look after the consumer, which is in this process whatever the pool."""
    deployment = Deployment.from_env()
    queues = [f"{deployment.prefix}:{queue}" for queue in sender.app.amqp.queues.consume_from]
    ConsumerWatch(deployment.broker_url, queues, sender.controller.concurrency).start()


def _recycle() -> None:
    logger.error("process asks to be replaced: agents hang")
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(**_: Any) -> None:
    try:
        context.close()
    except LoopStuck:
        logger.warning("connections are left to the end of the process: an agent blocks the event loop")
