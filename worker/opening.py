"""From a session's record to its open pipeline."""

from __future__ import annotations

from typing import TypedDict

from voicebackend.config import BackendConfig, PipelineType
from voicebackend.conversation import Conversation
from voicebackend.errors import InvalidConfig, PipelineError
from voicebackend.interfaces import Engines, TransportLink
from voicebackend.record import SessionRecord
from voicebackend.retry import RetryPolicy
from voicebackend.telemetry import span
from worker.pipelines.mouth import RETRY
from worker.pipelines.own import OwnPipeline, Resumable
from worker.pipelines.resumable_dialogue import ResumableDialogue
from worker.pipelines.s2s import S2sPipeline
from worker.pipelines.snapshot import DialogueSnapshot
from worker.pipelines.stt_tts import SttTtsPipeline
from worker.processors import Processors
from worker.services import Services
from worker.session_log import SessionLog
from worker.task_agent import TaskAgent


class _Parts(TypedDict):
    """What every pipeline of ours is given."""

    engines: Engines
    link: TransportLink
    log: SessionLog
    processors: Processors
    conversation: Conversation


async def open_pipeline(
    record: SessionRecord,
    config: BackendConfig,
    services: Services,
    *,
    link: TransportLink,
    log: SessionLog,
    restored: DialogueSnapshot | None = None,
) -> Resumable:
    """Return the session's pipeline, listening; with ``restored`` where another worker's was, to be resumed.

    Raises:
        InvalidConfig, ProviderNotFound: it cannot be built from this config.
        PipelineError: an engine did not open.

    """
    wanted = config.with_fields(provider=record.provider, pipeline_type=record.pipeline_type)
    with span("open_pipeline", provider=record.provider, pipeline_type=str(record.pipeline_type)):
        provider = await services.engines.provider(wanted)
        capabilities = provider.capabilities
        if record.pipeline_type not in capabilities.pipelines or record.transport not in capabilities.transports:
            message = f"{record.provider} cannot do {record.pipeline_type} over {record.transport}"
            raise InvalidConfig("open_pipeline", message, details={"field": "pipeline_type"})
        own = provider.pipeline(link)
        if own is not None:
            return await _open(OwnPipeline(own), restored)
        engines = await services.engines.engines(provider, wanted, record.pipeline_type)
        common: _Parts = {
            "engines": engines,
            "link": link,
            "log": log,
            "processors": Processors(services.processors(wanted.custom_processors), record.id),
            "conversation": wanted.conversation.over(record.conversation),
        }
        agent = _agent(record, wanted, services)
        pipeline: ResumableDialogue
        if record.pipeline_type is PipelineType.S2S:
            pipeline = S2sPipeline(**common, agent=agent if record.agent else None, metadata=record.metadata)
        else:
            pipeline = SttTtsPipeline(**common, agent=agent, retry=_retry(wanted))
        return await _open(pipeline, restored)


async def _open(pipeline: Resumable, restored: DialogueSnapshot | None) -> Resumable:
    if restored is not None:
        pipeline.restore(restored)
    try:
        await pipeline.open()
    except OSError as error:
        raise PipelineError("open_pipeline", "an engine could not be opened") from error
    return pipeline


def _retry(config: BackendConfig) -> RetryPolicy:
    """Return how often a voice is asked again, while the caller waits."""
    delay_s = config.retry_delay.total_seconds()
    return RetryPolicy(max_retries=config.max_retries, delay_s=delay_s, max_delay_s=RETRY.max_delay_s)


def _agent(record: SessionRecord, config: BackendConfig, services: Services) -> TaskAgent:
    return TaskAgent(
        record.id,
        publisher=services.publisher,
        state=services.wire,
        keys=services.keys,
        timeout_s=config.timeout.total_seconds(),
    )
