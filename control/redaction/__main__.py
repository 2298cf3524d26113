"""``python -m control.redaction FILE``: how much of what is marked in a file is found; ``--names`` with a pipeline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from control.redaction.measure import measure
from control.redaction.recogniser import Recogniser
from voicebackend.errors import VoiceBackendError


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m control.redaction", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--names", help="a spaCy pipeline that knows persons")
    asked = parser.parse_args()
    try:
        recogniser = Recogniser(names=asked.names)
        lines = asked.file.read_text(encoding="utf-8").splitlines()
    except (OSError, VoiceBackendError) as error:
        sys.stderr.write(f"redaction: {error}\n")
        return 2
    figures = measure((line for line in lines if not line.startswith("#")), recogniser, names=bool(asked.names))
    missed = [f"missed {label}: {line}" for label, line in figures.missed]
    said = [*missed, *(f"wrong: {line}" for line in figures.wrong)]
    said.append(f"marked {figures.marked.total()}, found {figures.found}")
    said.append(f"recall {figures.recall:.1%}, precision {figures.precision:.1%}")
    sys.stdout.write("\n".join(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
