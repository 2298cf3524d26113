"""The shape of the tree: sizes, layers, circles, and names that belong to us."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("voicebackend", "providers", "worker", "control")
MAX_LINES = 300
MAX_FUNCTION_LINES = 50
FILES = sorted(
    path for folder in (*PACKAGES, "tests", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_300_lines_and_no_function_than_50(path: Path) -> None:
    """One concept a file; a function fits on a screen."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert list(_long_functions(text)) == []


def _long_functions(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{node.name}: {lines} lines"


def _folders() -> list[Path]:
    """Return every folder that is a package of ours."""
    inits = (path for name in PACKAGES for path in (ROOT / name).rglob("__init__.py"))
    return sorted(path.parent for path in inits)


@pytest.mark.parametrize("folder", _folders(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_package_says_what_may_live_in_it(folder: Path) -> None:
    """Its docstring is the rule of residence."""
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    assert docstring is not None
    assert len(docstring) > 20


@pytest.mark.parametrize("folder", _folders(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_package_has_a_readme_that_names_what_is_in_it(folder: Path) -> None:
    """A newcomer finds the file on the first guess; the mock's is about its script, the top level's about the whole."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert len(text) > 200
    if folder.parent != ROOT and folder.name not in {"mock", "tasks"}:
        assert [path.name for path in folder.glob("*.py") if path.name not in text and path.name != "__init__.py"] == []


def test_layers_and_circles_are_held_by_the_linter() -> None:
    """Imports go one way, type-only ones included."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_distribution_brings_a_package_of_our_name(name: str) -> None:
    """``control`` and ``worker`` are names that others use too; two in one environment would mix."""
    assert set(packages_distributions().get(name, [])) <= {"voicebackend"}
