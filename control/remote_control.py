"""Which of Celery's remote commands a worker obeys: those that look at it, unless the deployment says otherwise.

Whoever may write to the broker's command channel, Flower or a process that was taken over, could else end every
worker, revoke tasks or take queues away. What ends our workers is a signal.
"""

from __future__ import annotations

from typing import Any

from celery.worker.control import Panel, nok

LOOKING = frozenset(
    {
        "ping",
        "stats",
        "report",
        "conf",
        "clock",
        "active",
        "reserved",
        "scheduled",
        "revoked",
        "registered",
        "active_queues",
        "query_task",
        "enable_events",
        "disable_events",
        "heartbeat",
    }
)
"""Commands that change nothing but who is told of events."""
REFUSED = "this worker takes no such command: VOICEBACKEND_REMOTE_CONTROL=1 lets it"


def look_only() -> None:
    """Have the workers of this process refuse every other command, by whatever name."""
    looking = {Panel.data[name] for name in LOOKING}
    Panel.data.update({name: _refuse for name, handler in Panel.data.items() if handler not in looking})


def _refuse(state: Any, **arguments: Any) -> Any:
    del state, arguments
    return nok(REFUSED)
