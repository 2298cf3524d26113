"""``telephony.dial`` and ``telephony.reap``: scheduled; dial what is due, look after what is in flight.

Both may run twice, late, or beside another: the book decides, never the order of tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from control import context, loop
from control.context import TaskContext
from control.tasks.speakers import TaskSpeakers
from control.telephony.outbound.book import CallBook
from control.telephony.outbound.dialler import Dialler
from control.telephony.outbound.do_not_call import DoNotCall

logger = logging.getLogger(__name__)

TIMEOUT_S = 30.0
"""Seconds for one round; what is being dialled then is looked after by ``reap``."""


def dial() -> None:
    """Dial the calls that are due, as fast as their trunks may."""
    loop.run(_each(context.current(), Dialler.dial_due), TIMEOUT_S)


def reap() -> None:
    """Look after calls that should have been heard of: ask their carriers, and end those that are to end."""
    loop.run(_each(context.current(), Dialler.look), TIMEOUT_S)


async def _each(shared: TaskContext, work: Callable[[Dialler], Awaitable[object]]) -> None:
    """Do something for every trunk that makes calls, all at once."""
    if shared.deployment.telephony is None:
        return
    lines = await shared.outbound.now()
    book, listed = CallBook(shared.state, shared.keys), DoNotCall(shared.state, shared.keys)
    speakers, base_url = TaskSpeakers(shared), shared.deployment.base_url
    diallers = [Dialler(book, listed, line, speakers, base_url=base_url) for line in lines.values()]
    for failed in await asyncio.gather(*(work(dialler) for dialler in diallers), return_exceptions=True):
        if isinstance(failed, BaseException):
            raise failed
