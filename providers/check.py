"""Tries the credentials of a provider or engine: ``python -m providers.check NAME``, a line of JSON for each try.

A program of its own, so that the command line loads no vendor's package. The configuration is the environment's, as
workers read it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.registry import ENGINES, PROVIDERS
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import OperationTimeout, ProviderNotFound, VoiceBackendError
from voicebackend.interfaces import Engine, VoiceProvider

TRY_S = 30.0
"""Seconds that one thing may take."""


@dataclass(frozen=True, slots=True)
class Named:
    """Something to try: role ``provider``, or that of an engine."""

    role: str
    name: str
    settings: Mapping[str, Any]


def named(name: str, config: BackendConfig) -> list[Named]:
    """Return what a configuration uses by this name; all that there is by it, if it uses nothing.

    Raises:
        ProviderNotFound: there is nothing by this name.
        InvalidConfig: the provider cannot be made of the configuration.

    """
    known = {role: registry for role, registry in ENGINES.items() if registry.is_registered(name)}
    if PROVIDERS.is_registered(name):
        settings = config.provider_config if config.provider == name else config.settings_of("provider", name)
        return [Named("provider", name, settings), *_brought(name, settings, config)]
    if not known:
        there_are = sorted(
            {*PROVIDERS.names(), *(found for registry in ENGINES.values() for found in registry.names())}
        )
        message = f"no provider or engine is named {name!r}; there are {', '.join(there_are)}"
        raise ProviderNotFound("check", message, details={"known": there_are})
    used = [role for role in known if name in _chosen(role, config)]
    return [Named(role, name, config.settings_of(role, name)) for role in used or known]


def _brought(name: str, settings: Mapping[str, Any], config: BackendConfig) -> Iterator[Named]:
    """Yield the engines of the same name that a provider brings to the configured pipeline."""
    provider = PROVIDERS.create(name, settings)
    assert isinstance(provider, VoiceProvider)  # noqa: S101 - the registry of providers holds nothing else
    is_s2s = config.pipeline_type is PipelineType.S2S or not provider.capabilities.uses_agent
    for role, (engine, own) in provider.engines(config).items():
        if engine == name and role in ({"s2s"} if is_s2s else {"stt", "tts"}):
            yield Named(role, engine, own or config.settings_of(role, engine))


def _chosen(role: str, config: BackendConfig) -> set[str]:
    """Return the engines of a role that a configuration names, to begin with or to fall back on."""
    fields = {"turn": "turn_detection_provider", "noise": "noise_cancellation_provider"}
    first = getattr(config, fields.get(role, f"{role}_provider"))
    return {first, *getattr(config.failover, role, ())}


async def tried(one: Named) -> VoiceBackendError | None:
    """Open it, try its credentials, and close it; return what went wrong."""
    registry: Any = PROVIDERS if one.role == "provider" else ENGINES[one.role]
    try:
        engine: Engine = registry.create(one.name, one.settings)
        try:
            async with asyncio.timeout(TRY_S):
                await engine.open()
                await engine.check()
        finally:
            await engine.aclose()
    except TimeoutError:
        return OperationTimeout("check", f"it took longer than {TRY_S:g} s")
    except VoiceBackendError as error:
        return error
    return None


def result(role: str, name: str, error: VoiceBackendError | None) -> dict[str, Any]:
    """Return what is printed."""
    told = None
    if error is not None:
        what_to_do = (type(error).__doc__ or "").split("\n")[0]
        told = {"code": str(error.code), "message": error.message, "advice": what_to_do}
    return {"role": role, "name": name, "error": told}


async def run(name: str) -> bool:
    """Print a result for each thing tried; tell whether all are well."""
    is_well = True
    try:
        wanted = named(name, BackendConfig.from_env())
    except VoiceBackendError as error:
        _print(result("", name, error))
        return False
    for one in wanted:
        problem = await tried(one)
        _print(result(one.role, one.name, problem))
        is_well = is_well and problem is None
    return is_well


def _print(found: Mapping[str, Any]) -> None:
    print(json.dumps(found), flush=True)  # noqa: T201 - what it is for


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m providers.check")
    parser.add_argument("name")
    return 0 if asyncio.run(run(parser.parse_args(arguments).name)) else 1


if __name__ == "__main__":
    sys.exit(main())
