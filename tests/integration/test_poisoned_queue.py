"""What is no task in Celery's queues: the worker that finds it serves the next one, and tells of it."""

from __future__ import annotations

import base64
import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from celery_harness import CeleryProcess, celery_worker, eventually
from kombu.entity import Queue as KombuQueue
from kombu.messaging import Consumer

from control.celery import make_app
from voicebackend._redis import connect_sync
from voicebackend.redis_url import RedisUrl
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
QUEUE = "sessions"


def message(arguments: bytes, task: object = "sessions.create", **changes: Any) -> bytes:
    """Return a task as Celery finds it in its queue, with changes."""
    made: dict[str, Any] = {
        "body": base64.b64encode(arguments).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": "1", "argsrepr": "()", "kwargsrepr": "{}", "root_id": "1"},
        "properties": {
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "1",
            "correlation_id": "1",
            "reply_to": "x",
        },
    }
    return json.dumps({**made, **changes}).encode()


ARGUMENTS = json.dumps([[], {}, {}]).encode()
TASK = {"lang": "py", "task": "sessions.create", "id": "2", "root_id": "2"}
DELIVERY = {"exchange": "", "routing_key": QUEUE}
NO_TASKS = {
    "text": b"poison",
    "a list": b"[1, 2]",
    "no UTF-8": b"\xff\xfe\x80",
    "nothing": b"",
    "nested deeply": b"[" * 100_000,
    "no decimal": b'{"__type__": "decimal", "__value__": "x"}',
    "no UUID": b'{"__type__": "uuid", "__value__": {"hex": 5}}',
    "no type": b'{"__type__": [], "__value__": 1}',
    "an object that is no message": b'{"a": 1}',
    "null": b"null",
    "no delivery": message(ARGUMENTS, properties={}),
    "a tag that cannot be written": message(
        ARGUMENTS, properties={"delivery_tag": "\ud800", "body_encoding": "base64", "delivery_info": DELIVERY}
    ),
    "a body that is no text": message(ARGUMENTS, body={"a": 1}),
    "a body that is no base64": message(ARGUMENTS, body="abc"),
    "pickle": message(pickle.dumps({"a": 1}), **{"content-type": "application/x-python-serialize"}),
    "YAML": message(b"a: 1", **{"content-type": "application/x-yaml"}),
    "arguments that are text": message(b'"x"'),
    "arguments that are a number": message(b"5"),
    "no id": message(ARGUMENTS, headers={"task": "sessions.create"}),
    "of Celery 3": message(b'{"task": "sessions.create"}', headers={}),
    "a list for a name": message(ARGUMENTS, task=[]),
    "a limit that is text": message(ARGUMENTS, headers={**TASK, "timelimit": ["x", None]}),
    "no time at all": message(ARGUMENTS, headers={**TASK, "eta": False}),
    "stamps that are a number": message(ARGUMENTS, headers={**TASK, "expires": "2020-01-01", "stamped_headers": 5}),
}
"""What is dropped before Celery acts on it; each of these once ended the worker, or may have."""
BAD_TASKS = {
    "an unknown task": message(ARGUMENTS, task="os.system"),
    "arguments of 8 MB": message(json.dumps([[], {"x": "y" * 8_000_000}, {}]).encode()),
    "the year 9999": message(ARGUMENTS, headers={**TASK, "eta": "9999-12-31T23:59:59+00:00"}),
}
"""What Celery itself refuses, fails or puts off."""


@pytest.fixture
def worker(deployment: Deployment, tmp_path: Path) -> Iterator[CeleryProcess]:
    """Run a worker of this queue."""
    with celery_worker(deployment, tmp_path / "celery", "-Q", QUEUE, "-P", "threads", "-c", "2") as process:
        yield process


def test_a_worker_serves_after_every_poison(deployment: Deployment, worker: CeleryProcess) -> None:
    """None of them ends it, none of them runs, and none of what they say is logged."""
    queue = f"{deployment.prefix}:{QUEUE}"
    with connect_sync(deployment.broker_url) as broker:
        for poison in (*NO_TASKS.values(), *BAD_TASKS.values()):
            broker.lpush(queue, poison)
        broker.lpush(queue, message(ARGUMENTS, task="no.such.task.but.the.last"))
        eventually(lambda: broker.llen(queue) == 0, timeout_s=60)
        worker.wait_for("no.such.task.but.the.last")
        assert worker.process.poll() is None
        dropped = [line for line in worker.logged() if "is no task: it was dropped" in line["message"]]
        assert len(dropped) == len(NO_TASKS)
        assert not any("yyyyyyyyyyyyyyyyy" in json.dumps(line) for line in worker.logged())
        for key in broker.keys("*unacked*"):
            broker.delete(key)


def test_a_worker_outlives_what_is_published_to_all(deployment: Deployment, worker: CeleryProcess) -> None:
    """Commands to workers go another way; there, too, may be anything."""
    poisons = [NO_TASKS[name] for name in ("nested deeply", "no decimal", "no UUID", "null", "a list")]
    unread = [NO_TASKS["text"], NO_TASKS["no UTF-8"]]  # kombu drops them itself
    with connect_sync(deployment.broker_url) as broker:
        channel = f"{deployment.prefix}:/{RedisUrl.parse(deployment.broker_url).db}.celery.pidbox"
        for poison in poisons + unread:
            eventually(lambda poison=poison: broker.publish(channel, poison) > 0)  # type: ignore[misc]
        broker.lpush(f"{deployment.prefix}:{QUEUE}", message(ARGUMENTS, task="no.such.task.but.the.last"))
        worker.wait_for("no.such.task.but.the.last")

        def dropped() -> int:
            return sum("is no task: it was dropped" in line["message"] for line in worker.logged())

        eventually(lambda: dropped() == len(poisons))
        assert worker.process.poll() is None
        assert not any("poison" in json.dumps(line) for line in worker.logged())


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Take the place of the metric of items that are refused."""
    counter = Mock()
    monkeypatch.setattr("control.celery_connection.task_items_refused", counter)
    return counter


@pytest.mark.parametrize("error", [KeyError, ValueError, TypeError])
def test_a_handler_that_fails_is_no_item_that_cannot_be_read(
    deployment: Deployment, refused: Mock, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    """Its error is told as what it is: nothing is dropped, and nothing counted; of garbage before it, all is."""
    taken: list[Any] = []

    def fail(got: Any) -> None:
        taken.append(got)
        raise error("a mistake of ours")

    with connect_sync(deployment.broker_url) as broker, caplog.at_level(logging.ERROR):
        broker.lpush(f"{deployment.prefix}:{QUEUE}", b"garbage", b"{}", message(ARGUMENTS))
        with (
            make_app(deployment) as app,
            app.connection_for_read() as connection,
            Consumer(connection.default_channel, [KombuQueue(QUEUE)], on_message=fail, accept=["json"]),
        ):
            for _ in range(2):
                connection.drain_events(timeout=30)
            with pytest.raises(error, match="a mistake of ours"):
                connection.drain_events(timeout=30)
            taken[0].ack()
    assert len(taken) == 1
    assert refused.add.call_count == 2
    assert sum("is no task" in record.message for record in caplog.records) == 2
