"""From a session's record to its open pipeline."""

from __future__ import annotations

import asyncio
from typing import Any, TypedDict

from providers.failover.closings import Closings
from providers.failover.engines import noting
from providers.failover.switch import Switch
from voicebackend.agents import CONFIGURED
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.conversation import Conversation
from voicebackend.errors import InvalidConfig, OperationTimeout, PipelineError
from voicebackend.interfaces import Capabilities, Engines, TransportLink
from voicebackend.record import SessionRecord
from voicebackend.retry import RetryPolicy
from voicebackend.sealing import Seal
from voicebackend.tracing import span
from worker.pipelines.meter import Meter
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

OPEN_S = 20.0
"""Seconds that a pipeline has to open."""


class _Parts(TypedDict):
    """What every pipeline of ours is given."""

    engines: Engines
    link: TransportLink
    log: SessionLog
    processors: Processors
    conversation: Conversation
    meter: Meter


async def open_pipeline(
    record: SessionRecord,
    config: BackendConfig,
    services: Services,
    *,
    link: TransportLink,
    log: SessionLog,
    closings: Closings,
    restored: DialogueSnapshot | None = None,
) -> Resumable:
    """Return the session's pipeline, listening; with ``restored`` where another worker's was, to be resumed.

    One that does not open is closed beside, by ``closings``.

    Raises:
        InvalidConfig, ProviderNotFound: it cannot be built from this config.
        PipelineError: an engine did not open.
        OperationTimeout: not in time.

    """
    try:
        async with asyncio.timeout(OPEN_S):
            goes_on = restored is not None
            pipeline = await build_pipeline(record, config, services, link=link, log=log, goes_on=goes_on)
            with closings.on_failure(pipeline.abandon, "pipeline"):
                if restored is not None:
                    pipeline.restore(restored)
                await pipeline.open()
                if masked_s := await log.masked_for():
                    pipeline.mask(masked_s)
            return pipeline
    except TimeoutError as error:
        raise OperationTimeout("session", "the pipeline did not open in time") from error
    except OSError as error:
        raise PipelineError("open_pipeline", "an engine could not be opened") from error


async def build_pipeline(
    record: SessionRecord,
    config: BackendConfig,
    services: Services,
    *,
    link: TransportLink,
    log: SessionLog,
    goes_on: bool,
) -> Resumable:
    """Return the session's pipeline, not open, of engines that are; ``goes_on`` with what was said before.

    Raises:
        InvalidConfig, ProviderNotFound: it cannot be built from this config.

    """
    wanted = by_record(config, record)
    with span("open_pipeline"):
        provider = await services.engines.provider(wanted)
        _check_can(provider.capabilities, record)
        own = provider.pipeline(link)
        if own is not None:
            return OwnPipeline(own)
        remote = not provider.capabilities.uses_agent
        kind = PipelineType.S2S if remote else record.pipeline_type  # a remote one hears and speaks
        engines = await services.engines.engines(provider, wanted, kind, named=record.engines)
        switches = _Switches()
        parts: _Parts = {
            "engines": noting(engines, switches.note),
            "link": link,
            "log": log,
            "processors": Processors(services.processors(wanted.custom_processors), record.id),
            "conversation": wanted.conversation.over(record.conversation),
            "meter": log.meter,
        }
        agent = _agent(record, wanted, services)
        if kind is PipelineType.S2S:
            switches.pipeline = await _s2s(parts, agent, record, goes_on=goes_on)
        else:
            switches.pipeline = _stt_tts(parts, agent, record, wanted, goes_on=goes_on)
        return switches.pipeline


def _check_can(capabilities: Capabilities, record: SessionRecord) -> None:
    """Raise InvalidConfig if the provider does not do what the session wants."""
    if record.pipeline_type not in capabilities.pipelines or record.transport not in capabilities.transports:
        message = f"{record.provider} cannot do {record.pipeline_type} over {record.transport}"
        raise InvalidConfig("open_pipeline", message, details={"field": "pipeline_type"})


async def _s2s(parts: _Parts, agent: TaskAgent, record: SessionRecord, *, goes_on: bool) -> ResumableDialogue:
    history = await parts["log"].history() if goes_on else ()
    asked = agent if record.agent else None
    return S2sPipeline(**parts, agent=asked, metadata=record.metadata, history=history)


def _stt_tts(
    parts: _Parts, agent: TaskAgent, record: SessionRecord, wanted: BackendConfig, *, goes_on: bool
) -> ResumableDialogue:
    screened = record.metadata.get("detect_machine") is True and not goes_on
    return SttTtsPipeline(**parts, agent=agent, retry=_retry(wanted), screened=screened, voice=_hears(record, wanted))


class _Switches:
    """Has the pipeline note down which engine took over from which."""

    pipeline: ResumableDialogue

    def note(self, switch: Switch) -> None:
        self.pipeline.note(switch.to_dict())


def by_record(config: BackendConfig, record: SessionRecord) -> BackendConfig:
    """Return the configuration of one session: its provider, its kind of pipeline, and the engines it names."""
    changes: dict[str, Any] = {"pipeline_type": record.pipeline_type}
    changes |= {f"{role}_provider": name for role, name in record.engines.items()}
    return with_provider(config, record.provider).with_fields(**changes)


def with_provider(config: BackendConfig, name: str) -> BackendConfig:
    """Return the configuration with this provider; ``provider_config`` is for the configured one only."""
    if name == config.provider:
        return config
    return config.with_fields(provider=name, provider_config=config.settings_of("provider", name))


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
        seal=Seal(services.secret, record.id),
        audio=services.audio if _hears(record, config) else None,
    )


def _hears(record: SessionRecord, config: BackendConfig) -> bool:
    """Tell whether the session's agent is brought the caller's voice beside the words."""
    return record.agent == CONFIGURED and config.multimodal_model is not None
