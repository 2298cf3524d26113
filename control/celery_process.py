"""What a Celery process does besides tasks: its logs, loading agents, and leaving nothing open at its end."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Collection
from functools import cache
from typing import Any

import click
from celery import signals
from celery.concurrency.prefork import TaskPool
from celery.platforms import SecurityWarning

from control import context
from control.agents.hung_threads import hung_threads
from control.consumer_watch import ConsumerWatch
from control.loop import LoopStuck
from control.records.cabinet import settings_of
from control.remote_control import look_only
from voicebackend._importer import load
from voicebackend.agents import load_agents
from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig
from voicebackend.flower_auth import check_passwords
from voicebackend.metrics_endpoint import endpoint
from voicebackend.process import observe, settle
from voicebackend.settings import Deployment
from voicebackend.tasks import TASKS, Queue

logger = logging.getLogger(__name__)

QUIET = {
    "celery.app.trace": logging.CRITICAL,  # shows exceptions' words; control.tasks.wrapper logs failures
    "celery.worker.strategy": logging.WARNING,
    "celery.pool": logging.INFO,  # shows arguments
    "celery.beat": logging.WARNING,
    "kombu.transport.redis": logging.ERROR,  # shows what was published to all workers and is no message
}
"""Celery's loggers that say too much, and from which level on they are heard."""
UNHURRIED = frozenset({Queue.RETENTION, Queue.POST_CALL})
"""Queues whose tasks no caller waits for."""
NICE = 19
"""How much later than others, by the scheduler of this machine, comes a worker that serves nothing but these."""


def follow() -> None:
    """Have Celery call the functions below when its processes start and end."""
    signals.celeryd_init.connect(_no_noise)
    signals.import_modules.connect(_guard_flower)
    signals.setup_logging.connect(_configure_telemetry)
    signals.worker_init.connect(_start)
    signals.worker_process_init.connect(_warm_up)
    signals.worker_process_init.connect(_serve_metrics)
    signals.worker_ready.connect(_warm_up)
    signals.worker_ready.connect(_serve_metrics_of_threads)
    signals.worker_ready.connect(_watch)
    signals.worker_process_shutdown.connect(_stop)
    signals.worker_shutdown.connect(_stop)


def _guard_flower(**_: Any) -> None:
    """Let Flower start only with passwords, and without buttons that no worker obeys; however it is started."""
    command = click.get_current_context(silent=True)
    if command is None or command.info_name != "flower":
        return
    from tornado.options import options

    try:
        check_passwords(options.basic_auth or ())
    except InvalidConfig as error:
        raise SystemExit(str(error)) from None
    options.read_only = options.read_only or not Deployment.from_env().remote_control


def _no_noise(instance: Any, **_: Any) -> None:
    instance.quiet = True
    warnings.simplefilter("ignore", SecurityWarning)  # of running as root, which is for pickle; we take JSON only


def _configure_telemetry(**_: Any) -> None:
    _configure_once()


@cache
def _configure_once() -> None:
    observe("celery", BackendConfig.from_env(), serving=False)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)


def _start(sender: Any, **_: Any) -> None:
    """Prepare a worker before its pool starts, so that children are forked with everything imported."""
    sender.options.update(without_mingle=True, without_gossip=True)  # a second saved: workers need not know each other
    try:
        _configure_once()
        deployment = Deployment.from_env()
        _check_records(deployment, sender.app.amqp.queues.consume_from)
    except InvalidConfig as error:
        raise SystemExit(str(error)) from None  # the cause shows the value, which may be a secret
    if not deployment.remote_control:
        look_only()
    try:
        for task in TASKS.values():
            load(task.function, field=task.name)
        if Queue.AGENTS in sender.app.amqp.queues.consume_from:
            load_agents(deployment.agents)
    except Exception as error:
        logger.critical("worker cannot start", exc_info=error)
        raise SystemExit(1) from error
    hung_threads.recycle = _recycle
    _give_way(sender.app.amqp.queues.consume_from)


def _give_way(queues: Collection[str]) -> None:
    """Let calls on this machine go first, where no task here is one that a caller waits for."""
    if UNHURRIED.issuperset(queues):
        os.nice(NICE)


def _check_records(deployment: Deployment, queues: Collection[str]) -> None:
    """Raise InvalidConfig if what is to be kept of calls could not be kept here as its policies say."""
    if deployment.retention is not None and Queue.POST_CALL in queues:
        settings_of(deployment.retention)


def _warm_up(**_: Any) -> None:
    context.current()
    settle()


def _serve_metrics(**_: Any) -> None:
    """Serve the metrics of a process that runs tasks."""
    try:
        endpoint.serve()
    except InvalidConfig as error:
        logger.critical("metrics are not served", extra={"error_message": error.message})  # tasks run all the same


def _serve_metrics_of_threads(sender: Any, **_: Any) -> None:
    """Serve them from here if tasks run here: of a parent that only forks, no thread may hold locks as it does."""
    if not isinstance(sender.controller.pool, TaskPool):
        _serve_metrics()


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
