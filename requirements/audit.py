"""Audits what `requirements/*.txt` pin: licences, known vulnerabilities, and a bill of materials for each image.

``python requirements/audit.py`` prints a table; bills go to build/sbom. It fails on a licence that is not permissive
and on a known vulnerability. Where the service of advisories does not answer, it says that vulnerabilities were NOT
AUDITED, and fails if ``VOICEBACKEND_ADVISORIES=required``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
BILLS = HERE.parent / "build" / "sbom"
IMAGES = ("control", "worker")
PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla", re.IGNORECASE)
"""What a licence's name says. MPL binds the files that are under it, which we do not change."""
COPYLEFT = re.compile(r"GPL|SSPL|BUSL|Commons Clause|proprietary", re.IGNORECASE)
READ = {
    "aiofastnet": "MIT",
    "atheris": "Apache-2.0",
    "axe-playwright-python": "MIT",
    "docutils": "BSD-2-Clause",  # or public domain; what is under the GPL is its mode for Emacs
    "picows": "MIT",
}
"""Licences that stand in a package's file and not in its metadata, as somebody read them."""


def pinned(name: str) -> dict[str, str]:
    """Return the packages that a file pins, lower case, with their versions."""
    lines = (HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([\w.-]+)(?:\[.*?\])?==([^\s;]+)", line) for line in lines)
    return {match[1].lower(): match[2] for match in found if match}


def refused_licences(packages: dict[str, str]) -> Iterator[str]:
    """Tell each of the packages whose licence is not permissive, or not known."""
    listed: list[dict[str, str]] = json.loads(
        run("pip-licenses", "--python", sys.executable, "--from=mixed", "--format=json", "--with-system")
    )
    for package in listed:
        name = package["Name"].lower().replace("_", "-")
        licence = READ.get(name, package["License"])
        if name in packages and (COPYLEFT.search(licence) or not PERMISSIVE.search(licence)):
            yield f"{name} {package['Version']}: {licence}"


def vulnerabilities(name: str) -> tuple[list[str], int]:
    """Return what is known to be wrong with what a file pins, and how many of it could be asked about."""
    file = str(HERE / f"{name}.txt")
    told = run("pip-audit", "--requirement", file, "--require-hashes", "--disable-pip", "--format=json", ok=(0, 1))
    if not told.strip():  # it could not reach anybody, and says so on stderr
        return [], 0
    asked = [package for package in json.loads(told)["dependencies"] if "vulns" in package]
    wrong = [f"{each['name']} {each['version']}: {vuln['id']}" for each in asked for vuln in each["vulns"]]
    return wrong, len(asked)


def bill(image: str) -> Path:
    """Write an image's bill of materials (CycloneDX, JSON), and return where."""
    BILLS.mkdir(parents=True, exist_ok=True)
    path = BILLS / f"{image}.json"
    project = str(HERE.parent / "pyproject.toml")
    run("cyclonedx-py", "requirements", "--pyproject", project, "-o", str(path), str(HERE / f"{image}.txt"))
    return path


def run(tool: str, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    """Return what a tool of this environment prints."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603 - ours
    if done.returncode not in ok:
        raise SystemExit(f"{tool} failed: {done.stderr[-2000:]}")
    return done.stdout


def main() -> int:
    """Print the audit; return 0 where nothing is wrong."""
    packages = pinned("dev")
    refused = list(refused_licences(packages))
    print(f"licences         {len(packages)} packages, {len(refused)} refused", *refused, sep="\n  ")
    wrong, asked = vulnerabilities("dev")
    if asked:
        print(f"vulnerabilities  {asked} of {len(packages)} packages asked, {len(wrong)} known", *wrong, sep="\n  ")
    else:
        print("vulnerabilities  NOT AUDITED: the service of advisories does not answer here")
    for image in IMAGES:
        print(f"bill             {len(pinned(image))} packages in {bill(image).relative_to(HERE.parent)}")
    unasked = not asked and os.environ.get("VOICEBACKEND_ADVISORIES") == "required"
    return 1 if refused or wrong or unasked else 0


if __name__ == "__main__":
    raise SystemExit(main())
