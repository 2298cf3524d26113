"""Whether a changed configuration could run: whether workers have its provider, and which settings that takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from control.sessions.catalogues import Offers
from control.sessions.placement import able_workers
from control.sessions.workers import WorkerInfo
from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig


def check_offered(config: BackendConfig, workers: Sequence[WorkerInfo], catalogues: Mapping[str, Offers]) -> None:
    """Return if a worker has the provider and knows every one of its settings.

    Raises:
        ProviderNotFound: no worker announces the provider.
        InvalidConfig: the provider has no such setting; the details name it.

    """
    provider = config.provider
    able = able_workers(workers, provider)
    offers = (catalogues.get(worker.catalogue, {}).get("provider", {}).get(provider, {}) for worker in able)
    schema = next((offer["config_schema"] for offer in offers if offer.get("config_schema")), None)
    if not schema or schema.get("additionalProperties") is not False:
        return
    known = schema.get("properties", {}).keys()
    for name in sorted(config.provider_config.keys() - known):
        field = f"provider_config.{name}"
        message = f"{field}: {provider} has no such setting; it has {', '.join(sorted(known)) or 'none'}"
        raise InvalidConfig("update_config", message, details={"field": field, "possible": sorted(known)})
