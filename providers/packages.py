"""Optional packages: whether one is installed, where its files are, and the line that installs it.

Nothing here imports a package: some of those that carry models are heavy, or load a native library of their own.
"""

from __future__ import annotations

from importlib.machinery import PathFinder
from pathlib import Path

from voicebackend.errors import InvalidConfig


def install_line(extra: str) -> str:
    """Return the shell command that installs an extra of this project."""
    return f'pip install "voicebackend[{extra}]"'


def folder(package: str) -> Path | None:
    """Return the folder of an installed top-level package or module, None if there is none."""
    spec = PathFinder.find_spec(package)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin).parent if spec.origin else None


def missing(what: str, extra: str, op: str) -> InvalidConfig:
    """Return the error that says what is not installed and how to install it."""
    line = install_line(extra)
    return InvalidConfig(op, f"{what} is not installed: {line}", details={"install": line})


def file(package: str, *parts: str, extra: str, op: str) -> Path:
    """Return the path of a file inside a package.

    Raises:
        InvalidConfig: the package, or the file in it, is not there.

    """
    home = folder(package)
    if home is None:
        raise missing(package, extra, op)
    found = home.joinpath(*parts)
    if not found.exists():
        raise missing(f"{'/'.join(parts)} of {package}", extra, op)
    return found
