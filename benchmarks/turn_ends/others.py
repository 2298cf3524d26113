"""Other frameworks' endpointing on the same turns: their packages, each in an environment and process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.turn_ends.corpus import Turn

SCRIPTS = Path(__file__).parent / "peers"
LONGEST_S = 900
"""Real seconds that a framework may take for all turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """One of them."""

    name: str
    environment: str
    """Folder of its virtual environment."""
    script: str


OTHERS = (
    Other(name="Pipecat 1.14.0", environment="pipecat", script="pipecat_ends.py"),
    Other(name="LiveKit Agents 1.8.9", environment="livekit", script="livekit_ends.py"),
)


def missing(environments: Path) -> list[str]:
    """Return the names of those that are not installed."""
    return [other.name for other in OTHERS if not _python(environments, other).exists()]


def listen(turns: Iterable[Turn], environments: Path) -> dict[str, Mapping[str, list[float]]]:
    """Return for each framework that is installed, for each turn, the seconds at which it was taken to be over."""
    there = [other for other in OTHERS if _python(environments, other).exists()]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="turn-ends-")))
        _write(turns, folder)
        running = {other: stack.enter_context(_started(other, environments, folder)) for other in there}
        try:
            failed = [other.name for other, process in running.items() if process.wait(LONGEST_S) != 0]
        finally:
            for process in running.values():
                process.kill()
        if failed:
            raise SystemExit(f"{', '.join(failed)} failed: see above")
        return {other.name: json.loads((folder / f"{other.environment}.json").read_text("utf-8")) for other in there}


def _python(environments: Path, other: Other) -> Path:
    return environments / other.environment / "bin" / "python"


def _write(turns: Iterable[Turn], folder: Path) -> None:
    listed = []
    for number, turn in enumerate(turns):
        path = folder / f"{number}.pcm"
        path.write_bytes(turn.pcm)
        listed.append({"id": turn.id, "text": turn.text, "pcm": str(path)})
    (folder / "turns.json").write_text(json.dumps(listed), encoding="utf-8")


def _started(other: Other, environments: Path, folder: Path) -> subprocess.Popen[bytes]:
    decisions = folder / f"{other.environment}.json"
    command = [_python(environments, other).absolute(), SCRIPTS / other.script, folder / "turns.json", decisions]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
