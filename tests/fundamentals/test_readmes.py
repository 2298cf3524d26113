"""Every Python snippet in every README runs as it stands, each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _snippets() -> list[object]:
    """Return each snippet with where it stands as its id."""
    skip = {".venv", "node_modules", "demo", "build"}
    pages = sorted(path for path in ROOT.rglob("*.md") if not skip & set(path.relative_to(ROOT).parts[:1]))
    return [
        pytest.param(block, id=f"{page.relative_to(ROOT)}:{number}")
        for page in pages
        for number, block in enumerate(_BLOCK.findall(page.read_text(encoding="utf-8")), start=1)
    ]


@pytest.mark.parametrize("snippet", _snippets())
def test_a_snippet_runs_as_written(snippet: str, tmp_path: Path) -> None:
    """It ends with 0, within a minute, with warnings as errors in our own code."""
    program = tmp_path / "snippet.py"
    program.write_text(snippet, encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBACKEND_")}
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_there_are_snippets() -> None:
    """The root README's quick start is among them."""
    assert len(_snippets()) >= 2
