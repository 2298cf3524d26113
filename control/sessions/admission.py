"""Whether a session could run at all, decided before anything is written: provider, capabilities, agent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control.sessions.placement import able_workers
from control.sessions.slot_request import RETRY_AFTER_S
from control.sessions.workers import WorkerInfo
from voicebackend.agents import CONFIGURED
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import InvalidConfig, SessionLimitExceeded
from voicebackend.session import SessionRequest

MAX_METADATA = 16 * 1024
"""Bytes of a session's metadata as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a session that may start will run on."""

    provider: str
    pipeline_type: PipelineType
    agent: str
    """Empty where none of ours answers."""
    workers: Sequence[WorkerInfo]
    """Those that have the provider and take sessions now."""


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Return if a session's metadata is small enough; raises InvalidConfig otherwise."""
    if len(json.dumps(metadata).encode()) > MAX_METADATA:
        message = f"metadata: at most {MAX_METADATA // 1024} KiB as JSON"
        raise InvalidConfig("create_session", message, details={"field": "metadata"})


def admit(request: SessionRequest, provider: str, config: BackendConfig, workers: Sequence[WorkerInfo]) -> Admission:
    """Decide whether this session could run with this provider on these workers, once it has a slot.

    Raises:
        ProviderNotFound: no worker announces the provider.
        InvalidConfig: it cannot do what the request asks for; the details name the field.
        SessionLimitExceeded: there is no worker at all.

    """
    if not workers:
        raise SessionLimitExceeded("create_session", "no worker is running: start one", retry_after=RETRY_AFTER_S)
    able = able_workers(workers, provider)
    pipeline_type = request.pipeline_type or config.pipeline_type
    offer = next(worker.providers[provider] for worker in workers if provider in worker.providers)
    capabilities = offer["capabilities"]
    if request.transport not in capabilities["transports"]:
        raise _cannot(provider, "transport", request.transport, capabilities["transports"])
    if pipeline_type not in capabilities["pipelines"]:
        raise _cannot(provider, "pipeline_type", pipeline_type, capabilities["pipelines"])
    _check_parts(request, config)
    agent = _agent(request, provider, config, pipeline_type, uses_agent=bool(capabilities["uses_agent"]))
    return Admission(provider=provider, pipeline_type=pipeline_type, agent=agent, workers=able)


def _cannot(provider: str, field: str, asked: str, possible: Sequence[str]) -> InvalidConfig:
    message = f"{field}: provider {provider} cannot do {asked}; it can do {', '.join(possible) or 'none'}"
    return InvalidConfig("create_session", message, details={"field": field, "possible": list(possible)})


def _agent(
    request: SessionRequest, provider: str, config: BackendConfig, pipeline_type: PipelineType, *, uses_agent: bool
) -> str:
    if uses_agent:
        if request.agent or pipeline_type is not PipelineType.STT_TTS:
            return request.agent or ""
        if config.chat_model is not None or config.multimodal_model is not None:
            return CONFIGURED
        message = f"agent: name a registered agent, because pipeline {pipeline_type} of {provider} asks it"
        raise InvalidConfig("create_session", message, details={"field": "agent"})
    if request.agent and not config.allow_remote_agent:
        message = f"agent: {provider} answers by itself; leave it out, or set allow_remote_agent to have it ignored"
        raise InvalidConfig("create_session", message, details={"field": "agent"})
    return ""


def _check_parts(request: SessionRequest, config: BackendConfig) -> None:
    """Return if the deployment has what the session configures; to accept more would be to ignore it."""
    configured = {
        "memory_config": config.memory,
        "rag_config": config.retriever or config.vector_store,
        "orchestration_config": config.orchestrator,
    }
    for field, part in configured.items():
        if getattr(request, field) and part is None:
            message = f"{field}: not supported here, because the deployment's configuration has nothing for it"
            raise InvalidConfig("create_session", message, details={"field": field})
    if request.memory_config.get("summarise") and config.chat_model is None:
        message = "memory_config.summarise: the deployment's configuration has no chat_model that could"
        raise InvalidConfig("create_session", message, details={"field": "memory_config"})


def free_slots(workers: Sequence[WorkerInfo]) -> int | None:
    """Return how many sessions these workers can still take; None is unlimited."""
    room = sum(math.inf if worker.unlimited else worker.slots_free for worker in workers if worker.takes_sessions)
    return None if math.isinf(room) else int(room)
