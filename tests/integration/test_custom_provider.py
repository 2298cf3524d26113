"""A third party's distribution: built, installed into an environment of its own, and held to our suites."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
from environment import environment

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_provider"
LISTED = """
import json
from providers.registry import ENGINES, PROVIDERS
found = {role: "morse" in registry.names() for role, registry in ENGINES.items()}
[telegraph] = [provider for provider in PROVIDERS.describe() if provider.name == "telegraph"]
print(json.dumps({**found, "provider": telegraph.unavailable, "pipelines": telegraph.capabilities["pipelines"]}))
"""

pytestmark = [pytest.mark.peers, pytest.mark.integration, pytest.mark.timeout(600)]


def run(*command: str | Path, cwd: Path) -> str:
    """Return what a command prints; it must not fail."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the Python of an environment that has all of ours, and the example installed from its wheel."""
    builder = environment("builder", ["hatchling>=1.27"])
    folder = tmp_path_factory.mktemp("custom")
    run(builder, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, EXAMPLE, cwd=folder)
    [wheel] = folder.glob("voicebackend_telegraph-*.whl")
    home = folder / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    [site] = home.glob("lib/*/site-packages")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    run(builder, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel, cwd=folder)
    return python


def test_its_names_are_listed_once_it_is_installed(python: Path, tmp_path: Path) -> None:
    """By its entry points alone."""
    found = json.loads(run(python, "-c", LISTED, cwd=tmp_path))
    assert found == {
        "stt": True,
        "tts": True,
        "s2s": False,
        "vad": True,
        "turn": False,
        "noise": False,
        "provider": None,
        "pipelines": ["stt_tts"],
    }


def test_it_inherits_the_suites_and_holds_a_call(python: Path, tmp_path: Path) -> None:
    """Its own tests pass there, with its own settings of pytest."""
    tests = (tmp_path / "tests").resolve()
    tests.mkdir()
    for path in (EXAMPLE / "tests").glob("*.py"):
        (tests / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
    printed = run(python, "-m", "pytest", "-q", cwd=tmp_path)
    assert " passed" in printed
    assert "failed" not in printed
