"""What ``/v1/providers`` lists: workers' catalogues and announcements put together; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from control.http.schemas import EngineView, OfferView, ProviderList, ProviderView
from control.sessions.admission import free_slots
from control.sessions.catalogues import Offers
from control.sessions.workers import WorkerInfo
from voicebackend.session import Health

PROVIDER = "provider"
"""The role of providers in a catalogue."""
_Offer = Mapping[str, Any]


def listed(workers: Sequence[WorkerInfo], catalogues: Mapping[str, Offers]) -> ProviderList:
    """Return everything that one of the workers could run, by role and name.

    A provider that a worker announces is listed before its catalogue is there.
    """
    found: dict[tuple[str, str], list[tuple[WorkerInfo, _Offer]]] = {}
    for worker in workers:
        for role, name, offer in _offers(worker, catalogues.get(worker.catalogue, {})):
            found.setdefault((role, name), []).append((worker, offer))
    providers, engines = [], []
    for (role, name), having in sorted(found.items()):
        fields = _view(name, having).model_dump()
        if role == PROVIDER:
            able = [worker for worker, _ in having if name in worker.providers]
            providers.append(ProviderView(**fields, slots_free=free_slots(able)))
        else:
            engines.append(EngineView(**fields, role=role))
    return ProviderList(providers=providers, engines=engines)


def _offers(worker: WorkerInfo, catalogue: Offers) -> Iterator[tuple[str, str, _Offer]]:
    for role, offers in catalogue.items():
        for name, offer in offers.items():
            yield role, name, offer
    for name in worker.providers.keys() - catalogue.get(PROVIDER, {}).keys():
        yield PROVIDER, name, worker.providers[name]


def _view(name: str, having: Sequence[tuple[WorkerInfo, _Offer]]) -> OfferView:
    """Return what is the same for all; one that is installed speaks for those where it is not."""
    able = [(worker, offer) for worker, offer in having if not offer.get("unavailable")]
    _, offer = (able or having)[0]
    return OfferView(
        name=name,
        installed=bool(able),
        install=None if able else offer.get("install"),
        capabilities=offer.get("capabilities") or {},
        config_schema=offer.get("config_schema") or {},
        health=together(worker.health.get(name, Health.UNKNOWN) for worker, _ in able),
        workers=sum(worker.takes_sessions for worker, _ in able),
    )


def together(found: Iterable[Health]) -> Health:
    """Return what several workers find of the same: degraded where they differ."""
    known = set(found) - {Health.UNKNOWN}
    if not known:
        return Health.UNKNOWN
    return known.pop() if len(known) == 1 else Health.DEGRADED
