"""The queries that an operator is given: alert rules and dashboard, and the names of metrics in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yaml"
DASHBOARD = DEPLOY / "grafana" / "voicebackend.json"
_NAME = re.compile(r"\bbackend_\w+")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def alerts() -> list[dict[str, Any]]:
    """Return every alert rule."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panel_queries() -> list[str]:
    """Return every query of the dashboard, as Grafana sends it."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    texts = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [text.replace("$__rate_interval", "1m") for text in texts]


def queries() -> list[str]:
    """Return all of them."""
    return [*(str(rule["expr"]) for rule in alerts()), *panel_queries()]


def names_in(text: str) -> set[str]:
    """Return the metrics that a query is about."""
    return set(_NAME.findall(text))


def names_served(exposition: str) -> set[str]:
    """Return the metrics that an answer of ``/metrics`` has."""
    lines = [line for line in exposition.splitlines() if line and not line.startswith("#")]
    return {re.split(r"[ {]", line, maxsplit=1)[0] for line in lines}


def without_suffix(name: str) -> str:
    """Return a metric's name, of a histogram without what Prometheus adds."""
    return _SUFFIX.sub("", name)
