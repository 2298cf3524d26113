"""Many processes' lines as one stream."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.text import Text

COLOURS = {"redis": "red", "control": "cyan", "worker": "green", "celery": "magenta", "beat": "yellow"}
"""Of each process's name."""
WIDTH = max(map(len, COLOURS))


class ConsoleLog:
    """Prints lines behind their process's name."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, name: str, line: str) -> None:
        """Print a line."""
        text = Text.assemble((f"{name:<{WIDTH}} │ ", COLOURS.get(name, "")), line)
        self._console.print(text, soft_wrap=True)


class FileLog:
    """Writes lines behind their process's name."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __call__(self, name: str, line: str) -> None:
        """Write a line."""
        self._file.write(f"{name:<{WIDTH}} | {line}\n")
        self._file.flush()
