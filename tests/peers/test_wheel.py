"""The wheel, installed where nothing of the checkout is in reach: what a user gets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from environment import BUILD_S, missing

pytestmark = pytest.mark.peers
ROOT = Path(__file__).parents[2]
IMPORT_S = 1.5
"""Seconds of CPU that importing the library may take: half a second is promised, on a machine three times as fast."""
IMPORT = "import time; begun = time.process_time(); import voicebackend; print(time.process_time() - begun)"


def run(*command: str, cwd: Path, timeout_s: float = BUILD_S) -> str:
    """Return what a program prints, in an environment that knows nothing of this checkout."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VOICEBACKEND_", "PYTHON"))}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def build(folder: Path) -> Path:
    """Return the wheel of this checkout, built in a folder."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT), cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into a fresh environment."""
    home = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", str(home), cwd=home)
    installed = home / "bin" / "python"
    try:
        run(str(installed), "-m", "pip", "install", "--quiet", str(wheel), cwd=home)
    except subprocess.TimeoutExpired as error:
        missing("the wheel's dependencies", type(error).__name__)
    return installed


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    """Pages and their scripts among them, and no test."""
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    ours = ("voicebackend", "providers", "worker", "control")
    tracked = subprocess.run(
        ["git", "ls-files", *ours],  # noqa: S607 - as developers have it
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert [name for name in tracked if name not in names] == []
    assert not [name for name in names if name.startswith("tests/")]


def test_who_builds_it_again_gets_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Byte for byte: what is installed can be proven to be made from what can be read."""
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


def test_the_quick_start_runs_outside_of_the_checkout(python: Path, tmp_path: Path) -> None:
    """As it stands in the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    quick_start = re.search(r"```python\n(import asyncio\n.*?)```", readme, re.DOTALL)
    assert quick_start is not None
    (tmp_path / "quick_start.py").write_text(quick_start[1], encoding="utf-8")
    assert "the agent speaks" in run(str(python), "quick_start.py", cwd=tmp_path, timeout_s=120)


def test_importing_the_library_takes_little(python: Path, tmp_path: Path) -> None:
    """CPU, the best of five: the limit is for a slow machine, so that only a heavy import fails it."""
    took = [float(run(str(python), "-c", IMPORT, cwd=tmp_path)) for _ in range(5)]
    assert min(took) < IMPORT_S


def test_the_command_line_is_installed(python: Path, tmp_path: Path) -> None:
    """And says what it can do."""
    told = run(str(python.with_name("voicebackend")), "--help", cwd=tmp_path)
    assert all(command in told for command in ("demo", "up", "open", "call"))
