"""What each provider's messages cost: ``python -m benchmarks.providers --json FILE``; see the README beside this.

A frame of 20 ms is made into what is sent, and one of what is received into audio, by our client's code and by the
least code that does it, in turn in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.circumstances import loadavg, versions
from benchmarks.exchanges import Exchange, Side, exchanges
from benchmarks.goals import Goal
from benchmarks.measure import cores

AT_MOST = 2.0
"""Times the bare round trip."""
FRAMES = 50
"""In a round."""
UNCODED: Mapping[str, str] = {
    "vapi": "PCM passes as it is, in binary messages",
    "local, mock, echo": "nothing passes over a vendor's network",
}
LIVEKIT_FRAMES = 40
"""Less than its queue holds."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every provider."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each provider")
    options = parser.parse_args(arguments)
    load_before = loadavg()
    found = {exchange.name: compared(exchange, options.seconds) for exchange in exchanges()}
    goals = [Goal(f"{name}, to a bare round trip", told["ratio"], AT_MOST).to_dict() for name, told in found.items()]
    report = {
        "providers": found,
        "uncoded": {**UNCODED, "livekit": asyncio.run(livekit())},
        "goals": goals,
        "circumstances": {**versions(), "cores": cores(), "loadavg_before": load_before},
    }
    print("\n".join([*_table(report), *map(Goal.line, goals)]))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def compared(exchange: Exchange, seconds: float) -> dict[str, float]:
    """Return microseconds for a frame both ways, ours and bare, each the best of its rounds, and the ratio."""
    ours, bare = (_round_trip(side, exchange) for side in (exchange.ours, exchange.bare))
    best_ours = best_bare = float("inf")
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        best_ours, best_bare = min(best_ours, _took_us(ours)), min(best_bare, _took_us(bare))
    return {
        "sample_rate": exchange.sample_rate,
        "ours_us": round(best_ours, 2),
        "bare_us": round(best_bare, 2),
        "ratio": round(best_ours / best_bare, 2),
    }


async def livekit() -> dict[str, Any]:
    """Return what it takes to hand a frame to LiveKit's library, which encodes it in threads of its own."""
    why = "Opus over WebRTC, in the vendor's library: no message of ours"
    try:
        from livekit import rtc
    except ImportError:
        return {"why": f"{why}; not installed"}
    rate = 24_000
    source, samples = rtc.AudioSource(rate, 1, queue_size_ms=1000), rate // 50
    began = time.process_time()
    for _ in range(LIVEKIT_FRAMES):
        await source.capture_frame(rtc.AudioFrame(bytes(2 * samples), rate, 1, samples))
    took_s = time.process_time() - began
    await source.aclose()
    return {"why": why, "capture_frame_us": round(took_s / LIVEKIT_FRAMES * 1e6, 1)}


def _round_trip(side: Side, exchange: Exchange) -> Callable[[], None]:
    encode, decode, pcm, received = side.encode, side.decode, exchange.pcm, exchange.received

    def both() -> None:
        for _ in range(FRAMES):
            if encode is not None:
                encode(pcm)
            decode(received)

    return both


def _took_us(work: Callable[[], None]) -> float:
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / 1000 / FRAMES


def _table(report: Mapping[str, Any]) -> list[str]:
    lines = [f"{'':16}{'ours us':>9}{'bare us':>9}{'ratio':>7}"]
    for name, told in report["providers"].items():
        lines.append(f"{name:16}{told['ours_us']:>9.2f}{told['bare_us']:>9.2f}{told['ratio']:>7.2f}")
    for name, why in report["uncoded"].items():
        lines.append(f"{name:16}  {why if isinstance(why, str) else '; '.join(map(str, why.values()))}")
    return lines


if __name__ == "__main__":
    main()
