"""The same targets, guided by coverage: atheris sees which lines an input reaches, and goes on from new ones."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest
from fuzz_report import ONCE, SECONDS, note
from target import CORPUS
from targets import TARGETS

pytestmark = ONCE
GUIDED = Path(__file__).with_name("guided.py")
SHORT_S = 10
"""For all targets together, in one process."""
EACH = [[name] for name in TARGETS] if SECONDS else [list(TARGETS)]


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine: Linux x86-64 only"
)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("names", EACH, ids=lambda names: names[0] if len(names) == 1 else "all")
async def test_what_reaches_new_lines_is_read_or_refused(names: list[str], tmp_path: Path) -> None:
    """Until time is up; a find is a file: it goes into the corpus, and is mended."""
    seconds = max(1, round(SECONDS)) if SECONDS else SHORT_S
    finds_in, scratch = tmp_path / "finds", tmp_path / "scratch"
    for folder in (finds_in, scratch):
        folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(GUIDED), str(seconds), *names),
        # libFuzzer ends the process before it could tidy up its scratch
        env={**os.environ, "VOICEBACKEND_FUZZ_FINDS": str(finds_in), "TMPDIR": str(scratch)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode("utf-8", "replace")
    finds = _finds(finds_in)
    assert process.returncode == 0, (
        f"{finds}\nthe first byte is the target's; put the rest into {CORPUS}\n{said[-6000:]}"
    )
    assert finds == {}
    done = re.search(r"number_of_executed_units: (\d+)", said)
    assert done is not None, said[-2000:]
    note("guided", names[0] if len(names) == 1 else "all", int(done[1]), seconds)


def _finds(folder: Path) -> dict[str, bytes]:
    """Return the beginning of what was found."""
    return {path.name: path.read_bytes()[:400] for path in folder.iterdir()}
