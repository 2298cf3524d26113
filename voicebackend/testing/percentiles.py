"""Percentiles of what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the least value that this percentage of all values does not exceed; 0 of none."""
    if not values:
        return 0.0
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]
