"""Whom an erasure has to be passed on to, in words: those who are not of this deployment, and what to ask of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from control.records.handlers import AGENT, CARRIER, MEDIA, PROVIDER
from control.records.sub_processors import SubProcessor
from control.services import Services
from control.sessions.catalogues import Offers, read_catalogues
from voicebackend.retention import SubProcessorView

OURS = frozenset({"local", "mock", "echo"})
"""Providers that run in our workers; of engines, workers tell it themselves."""
_ASK: Mapping[str, str] = {
    CARRIER: "delete these calls with their numbers and its own recordings of them",
    MEDIA: "delete its recordings and logs of the rooms",
    PROVIDER: "delete what it heard, said and wrote down",
    "s2s": "delete the audio and text of both sides",
    "stt": "delete the caller's audio and its transcripts",
    "tts": "delete the texts that it spoke",
    AGENT: "delete what it sent to models, tools and stores of its own",
}


async def outside(services: Services, found: Sequence[SubProcessor]) -> list[SubProcessorView]:
    """Return those who are not known to be ours, by name; an engine that no worker has any more counts as outside."""
    if not found:
        return []
    workers = await services.workers.now()
    catalogues = await read_catalogues(services.state, services.keys, workers)
    ours = _ours(catalogues.values())
    views = (_view(one, [role for role in one.roles if (role, one.name) not in ours]) for one in found)
    return [view for view in views if view.roles]


def _ours(catalogues: Iterable[Offers]) -> set[tuple[str, str]]:
    """Return roles and names of the engines that work on this deployment's machines, and of its own providers."""
    engines = {
        (role, name)
        for catalogue in catalogues
        for role, offers in catalogue.items()
        for name, offer in offers.items()
        if (offer.get("capabilities") or {}).get("remote") is False
    }
    return engines | {(PROVIDER, name) for name in OURS}


def _view(one: SubProcessor, roles: list[str]) -> SubProcessorView:
    ask = "; ".join(_ASK.get(role, "delete what it has of the sessions") for role in roles)
    return SubProcessorView(name=one.name, roles=roles, calls=list(one.calls), first=one.first, last=one.last, ask=ask)
