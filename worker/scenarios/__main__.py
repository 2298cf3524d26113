"""``python -m worker.scenarios PATH... [--audio] [--jobs N] [--json FILE] [-v]``: exit code 1 if one goes wrong."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from voicebackend.errors import VoiceBackendError
from worker.scenarios.loader import find
from worker.scenarios.report import details, line, summary, timeline, to_json
from worker.scenarios.runner import Result, be_quiet, run_all


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 1 if a scenario is not as expected, or a file cannot be read."""
    given = _parser().parse_args(arguments)
    be_quiet()
    started, results = time.monotonic(), list[Result]()
    try:
        for result in run_all(find(given.paths), audio=given.audio, jobs=given.jobs):
            results.append(result)
            _tell(result, verbose=given.verbose)
    except VoiceBackendError as error:
        print(error.message, file=sys.stderr)  # noqa: T201 - the one line that says why
        return 1
    took_s = time.monotonic() - started
    print(summary(results, took_s))  # noqa: T201 - what it is for
    if given.json is not None:
        given.json.write_text(json.dumps(to_json(results, took_s), indent=1), encoding="utf-8")
    return 0 if all(result.ok for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.scenarios")
    parser.add_argument("paths", nargs="+", type=Path, help="scenario files, and folders of them")
    parser.add_argument("--audio", action="store_true", help="with the real offline engines")
    parser.add_argument("--jobs", type=int, default=1, choices=range(1, 65), metavar="N", help="processes, 1 to 64")
    parser.add_argument("--json", type=Path, help="write the report to this file")
    parser.add_argument("-v", "--verbose", action="store_true", help="show everything that was seen")
    return parser


def _tell(result: Result, *, verbose: bool) -> None:
    lines = [line(result), *(details(result) if not result.ok else timeline(result) if verbose else [])]
    print("\n".join(lines), flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    sys.exit(main())
