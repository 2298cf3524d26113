"""What making a session needs, of a process that serves HTTP or of one that runs tasks."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from control.hook_table import HookTable
from control.live_config import LiveConfig
from control.outbox.outbox import Outbox
from control.pseudonym import Pseudonyms
from control.records.cabinet import Cabinet
from control.sessions.known_workers import KnownWorkers
from control.sessions.placement import Placement
from control.sessions.queue import SessionQueue
from control.telephony.call_desk import CallDesk
from control.telephony.switchboard import Switchboard
from voicebackend.channel import Sender
from voicebackend.keys import Keys
from voicebackend.publisher import Publisher
from voicebackend.settings import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionServices:
    """Connections and tables of one process, as far as a new session touches them."""

    deployment: Deployment
    """With the port it really listens on."""
    live: LiveConfig
    hooks: HookTable
    state: Redis
    workers: KnownWorkers
    placement: Placement
    queue: SessionQueue
    sender: Sender
    publisher: Publisher
    pseudonyms: Pseudonyms
    desk: CallDesk | None = None
    """What telephone calls share; None where a deployment takes none."""
    cabinet: Cabinet | None = None
    """Where records are kept; None where a deployment keeps none."""

    @property
    def switchboard(self) -> Switchboard | None:
        """Return where telephone calls go now: to be read anew for each, as it may be replaced meanwhile."""
        return None if self.desk is None else self.desk.board.current

    @property
    def outbox(self) -> Outbox:
        """Return what takes events for webhooks."""
        return Outbox(self.state, self.keys, self.publisher)

    @property
    def keys(self) -> Keys:
        """Return the names of the Redis keys."""
        return self.deployment.keys
