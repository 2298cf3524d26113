"""For processes of a soak: on SIGUSR2 they collect garbage and print the asyncio tasks begun since they were ready."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import signal
import sys
from collections import Counter

_NUMBERS = re.compile(r"[0-9a-f]*\d[0-9a-f]*")


def _tell(*_: object) -> None:
    gc.collect()
    tasks = [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]
    names = Counter(_NUMBERS.sub("#", task.get_name()) for task in tasks)
    print("tasks counted " + json.dumps(names), file=sys.stderr, flush=True)  # noqa: T201 - a test reads it


signal.signal(signal.SIGUSR2, _tell)
