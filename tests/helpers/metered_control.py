"""``python -m metered_control``: control, which prints its figures twice a second, each as ``metric NAME VALUE``."""

from __future__ import annotations

import sys
from runpy import run_module
from typing import Any

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
)

EVERY_MS = 500


class Printer(MetricExporter):
    """Prints gauges and counters."""

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **_: Any) -> MetricExportResult:
        """Print what there is now."""
        del timeout_millis
        for resource in metrics_data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = [point for point in metric.data.data_points if isinstance(point, NumberDataPoint)]
                    if points:
                        print(f"metric {metric.name} {sum(point.value for point in points)}", file=sys.stderr)  # noqa: T201
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing waits."""
        del timeout_millis
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Nothing is open."""
        del timeout_millis


if __name__ == "__main__":
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(Printer(), EVERY_MS)]))
    run_module("control", run_name="__main__")
