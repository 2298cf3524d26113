"""Which roles have failover, and the engine of each that stands for several."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from providers.failover.candidates import Candidates
from providers.failover.s2s import FailoverS2s
from providers.failover.stt import FailoverStt
from providers.failover.switch import OnSwitch
from providers.failover.tts import FailoverTts
from voicebackend.failover import Failover
from voicebackend.interfaces import Engine, Engines

FAILOVER_ROLES = frozenset({"stt", "tts", "s2s"})
"""The others run here, and fail with the process."""


def failover_engine(role: str, engines: Candidates[Any], settings: Failover) -> Engine:
    """Return the engine that stands for these; its deadlines hold where there is somewhere to go."""
    match role:
        case "stt":
            return FailoverStt(engines, timeout_s=_deadline(settings.stt_timeout, not engines.alone))
        case "tts":
            return FailoverTts(engines, timeout_s=_deadline(settings.tts_timeout, not engines.alone))
        case _:
            elsewhere = not engines.alone or bool(settings.provider)
            lent = min(settings.s2s_timeout, max(settings.stt_timeout, settings.tts_timeout))
            return FailoverS2s(
                engines,
                timeout_s=_deadline(settings.s2s_timeout, elsewhere),
                lent_timeout_s=_deadline(lent, elsewhere),
                hold_tone=elsewhere and settings.s2s_hold_tone,
            )


def noting(engines: Engines, on_switch: OnSwitch) -> Engines:
    """Return a session's engines, of whose switches it hears."""
    stt, tts, s2s = engines.stt, engines.tts, engines.s2s
    return replace(
        engines,
        stt=stt.noting(on_switch) if isinstance(stt, FailoverStt) else stt,
        tts=tts.noting(on_switch) if isinstance(tts, FailoverTts) else tts,
        s2s=s2s.noting(on_switch) if isinstance(s2s, FailoverS2s) else s2s,
    )


def _deadline(timeout: timedelta, elsewhere: bool) -> float | None:
    return timeout.total_seconds() if elsewhere else None
