"""How Sphinx builds the documentation: ``make docs``. The whole repository is its source: links are those of the files.

Pages of ``docs/`` and the folders' READMEs are read as they are; ``<!-- generated: NAME -->`` is replaced by what
``generate`` makes of the code. Warnings are errors: a broken link or anchor, or a page that no navigation names.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from generate import PAGES  # noqa: E402 - found by the line before

project = "Voicebackend"
project_copyright = "the authors of Voicebackend"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
_FOLDERS = (
    "benchmarks",
    "control",
    "deploy",
    "examples",
    "providers",
    "requirements",
    "scenarios",
    "tests",
    "voicebackend",
    "worker",
)
include_patterns = [
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/**.md",
    *(f"{folder}/README.md" for folder in _FOLDERS),
    *(f"{folder}/**/README.md" for folder in _FOLDERS),
]
exclude_patterns = [".*", "build", "demo", "dist", "**/__pycache__", "**/node_modules"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
highlight_language = "none"

html_theme = "furo"
html_title = "Voicebackend"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None

_GENERATED = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)

_FROM_OUTSIDE = re.compile(r"""(?:\ssrc=|<link[^>]+href=|url\()["']?(?:https?:)?//[^"' )>]+""")


def _fill_in(_: Sphinx, __: str, source: list[str]) -> None:
    """Put what the code says into a page."""
    source[0] = _GENERATED.sub(lambda found: PAGES[found[1]](), source[0])


def _load_nothing_from_outside(app: Sphinx, error: Exception | None) -> None:
    """Fail if a page would have its reader's browser ask another server for anything."""
    for page in Path(app.outdir).rglob("*.html") if error is None else ():
        if found := _FROM_OUTSIDE.search(page.read_text(encoding="utf-8")):
            raise ExtensionError(f"{page}: {found[0]} would be loaded from outside")


def _open_at_the_index(app: Sphinx, error: Exception | None) -> None:
    """Let the site's own address lead to its first page."""
    if error is None and app.builder.name == "html":
        page = '<!doctype html><meta charset="utf-8"><title>Voicebackend</title>'
        page += (
            '<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">Voicebackend</a>\n'
        )
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect our steps."""
    app.connect("source-read", _fill_in)
    app.connect("build-finished", _load_nothing_from_outside)
    app.connect("build-finished", _open_at_the_index)
