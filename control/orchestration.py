"""Events of sessions for the configured orchestrator: queued where they happen, told by a task."""

from __future__ import annotations

import logging

from voicebackend.config import BackendConfig
from voicebackend.errors import VoiceBackendError
from voicebackend.publisher import Publisher
from voicebackend.record import SessionRecord
from voicebackend.session_parts import EventName, OrchestrationConfig
from voicebackend.tasks import AGENTS_EVENT

logger = logging.getLogger(__name__)


async def announce(
    publisher: Publisher,
    config: BackendConfig,
    record: SessionRecord,
    event: EventName,
    *,
    turn: int = 0,
    attempt: int = 0,
    wanted: bool = False,
) -> None:
    """Have the orchestrator told, if there is one and the session wants it; what cannot be queued is logged.

    With ``wanted`` somebody else waits for the event's task.
    """
    events = OrchestrationConfig.model_validate(record.orchestration_config).events
    if not wanted and (config.orchestrator is None or event not in events):
        return
    try:
        await publisher.publish(AGENTS_EVENT, session_id=record.id, event=event, turn=turn, attempt=attempt)
    except VoiceBackendError as error:
        logger.warning("event not told", extra={"session_id": record.id, "event": event, "code": str(error.code)})
