"""What `requirements/` pins, against what `pyproject.toml` asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PIN = re.compile(r"^([\w.-]+)(?:\[.*?\])?==([^\s;\\]+)", re.MULTILINE)


def extras_of(file: str) -> list[str]:
    """Return the extras that a file of pins is made for, as the Makefile says."""
    listed = re.search(rf"^{file.upper()} := (.+)$", MAKEFILE, re.MULTILINE)
    return listed[1].split() if listed else [file]


def asked(extras: list[str]) -> list[Requirement]:
    """Return what the project needs with some extras, those that name extras of its own resolved."""
    found, waiting = [Requirement(line) for line in PROJECT["dependencies"]], list(extras)
    while waiting:
        for line in PROJECT["optional-dependencies"][waiting.pop()]:
            requirement = Requirement(line)
            if requirement.name == PROJECT["name"]:
                waiting += requirement.extras
            else:
                found.append(requirement)
    return found


@pytest.mark.parametrize("file", ["control", "worker", "dev"])
def test_everything_that_is_asked_for_is_pinned(file: str) -> None:
    """In a version that fits. Where this fails: `make lock`."""
    text = (ROOT / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
    pins = {canonicalize_name(name): version for name, version in PIN.findall(text)}
    wrong = [
        f"{needed}: {pins.get(canonicalize_name(needed.name), 'not pinned')}"
        for needed in asked(extras_of(file))
        if not needed.specifier.contains(pins.get(canonicalize_name(needed.name), "-"), prereleases=True)
    ]
    assert wrong == []


@pytest.mark.parametrize("file", ["control", "worker", "dev"])
def test_every_pin_has_its_hashes_and_no_place(file: str) -> None:
    """So that nothing else is installed under its name, from wherever it comes."""
    text = (ROOT / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
    pins = [part for part in re.split(r"\n(?=[\w])", text) if part.strip()]
    assert len(pins) == len(PIN.findall(text))
    assert [part for part in pins if "--hash=sha256:" not in part] == []
    assert "://" not in text
