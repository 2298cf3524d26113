"""Every metric: its name here and in Prometheus, kind, unit, labels."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from generate.markdown import code, table
from voicebackend import telemetry

_KINDS = {
    "_counter": "counter",
    "_counted": "counter",
    "_level": "level",
    "_gauge": "gauge",
    "_histogram": "histogram",
}


def page() -> str:
    """Return the table of metrics, in the order of ``telemetry.py``."""
    return table(["metric", "in Prometheus", "kind", "labels", "what"], _rows())


def _rows() -> Iterator[tuple[str, ...]]:
    made = dict(_made())
    for name, labels in telemetry.LABELS.items():
        kind, about = made.get(name) or _of_a_stage(name)
        told = name.replace(".", "_") + ("_total" if kind == "counter" and not name.endswith(".total") else "")
        yield code(name), code(told), kind, ", ".join(map(code, sorted(labels))), about


def _made() -> Iterator[tuple[str, tuple[str, str]]]:
    """Read each call that makes a metric of a name written out: ``(name, (kind, about))``."""
    for node in ast.walk(ast.parse(inspect.getsource(telemetry))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _KINDS:
            name, about = node.args[:2]
            if isinstance(name, ast.Constant) and isinstance(about, ast.Constant):
                yield str(name.value), (_KINDS[node.func.id], str(about.value))


def _of_a_stage(name: str) -> tuple[str, str]:
    """Tell of ``backend.turn.*``, which are made in a loop over ``(stage, name, about)``."""
    for node in ast.walk(ast.parse(inspect.getsource(telemetry))):
        if isinstance(node, ast.Tuple) and len(node.elts) == 3:  # noqa: PLR2004 - stage, name, about
            words = [element.value for element in node.elts if isinstance(element, ast.Constant)]
            if len(words) == len(node.elts) and name == f"backend.turn.{words[1]}.seconds":
                return "histogram", f"Per turn: {words[2]}"
    raise LookupError(name)
