"""What every session of this worker shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from voicebackend._wire import Wire
from voicebackend.channel import Sender
from voicebackend.hooks import AudioProcessor
from voicebackend.keys import Keys
from voicebackend.publisher import Publisher
from voicebackend.remote import resolve
from worker.engines import EnginePool
from worker.load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Connections and engines of one worker process."""

    state: Redis
    wire: Wire
    """``state`` too, for what every turn writes."""
    audio: Wire
    """``audio``, for what a turn's task is to find there."""
    sender: Sender
    publisher: Publisher
    engines: EnginePool
    keys: Keys
    load: Load
    """How loaded this process is: it takes no new sessions while its event loop lags."""
    secret: str = field(repr=False)
    """The deployment's, which seals what callers press."""
    remote: Any = None
    """Calls to objects in the embedding process, if there is one."""

    def processors(self, configured: Sequence[Any]) -> list[AudioProcessor]:
        """Return the configured audio processors as objects."""
        return [resolve(target, field="custom_processors", remote=self.remote) for target in configured]
