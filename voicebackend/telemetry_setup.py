"""Where traces, metrics and logs of a process go: OTLP, a Prometheus endpoint, lines of JSON.

Only this touches the OpenTelemetry SDK, and only ``__main__`` files and the command line call it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TextIO

from opentelemetry import metrics as metrics_api
from opentelemetry import trace

from voicebackend.errors import InvalidConfig
from voicebackend.json_logs import JsonFormatter
from voicebackend.metrics_endpoint import endpoint
from voicebackend.telemetry import LABELS, start_counters

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View
    from opentelemetry.sdk.resources import Resource

QUIET = {
    **dict.fromkeys(("asyncio", "aiohttp.access", "kombu", "amqp"), logging.WARNING),
    "opentelemetry.exporter": logging.ERROR,  # each try of an export is a warning
}
"""Loggers that say too much, and from which level on they are heard."""
EXPORT_S = 1
"""Second that an export may take, unless the environment says otherwise: a process that ends waits for its last."""


def configure(
    service: str,
    *,
    tracing: bool = True,
    metrics: bool = True,
    metric_readers: Sequence[MetricReader] = (),
    structured_logging: bool = True,
    level: str = "INFO",
    stream: TextIO = sys.stderr,
) -> None:
    """Set up traces, metrics and logs of this process; called once, by ``__main__`` files.

    With ``OTEL_EXPORTER_OTLP_ENDPOINT`` set, spans and metrics go there (extra ``[otlp]``); with
    ``VOICEBACKEND_METRICS``, metrics are served once ``metrics_endpoint.serve`` is called (extra ``[prometheus]``).
    ``metric_readers`` get the metrics too. Without any of these, or with ``metrics`` off, nothing is measured.

    Raises:
        InvalidConfig: an extra that the environment asks for is not installed, or a variable cannot be read.

    """
    if tracing:
        _trace(service)
    if metrics:
        _measure(service, metric_readers)
    handler = logging.StreamHandler(stream)
    if structured_logging:
        handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, heard_from in QUIET.items():
        logging.getLogger(name).setLevel(heard_from)


def _trace(service: str) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    provider = TracerProvider(resource=_resource(service))
    if exporter := _exporter("trace_exporter", "OTLPSpanExporter"):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _measure(service: str, readers: Sequence[MetricReader]) -> None:
    from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    if isinstance(metrics_api.get_meter_provider(), MeterProvider):
        return
    exporter, served = _exporter("metric_exporter", "OTLPMetricExporter"), endpoint.reader()
    pushed = PeriodicExportingMetricReader(exporter) if exporter else None
    if everyone := [*readers, *(reader for reader in (pushed, served) if reader)]:
        no_exemplars = AlwaysOffExemplarFilter()  # they cost more than all the rest
        metrics_api.set_meter_provider(
            MeterProvider(everyone, resource=_resource(service), views=_views(), exemplar_filter=no_exemplars)
        )
    if served:
        start_counters()


def _views() -> list[View]:
    """Return what drops every label that a metric is not declared to have."""
    from opentelemetry.sdk.metrics.view import View

    return [View(instrument_name=name, attribute_keys=set(labels)) for name, labels in LABELS.items()]


def _resource(service: str) -> Resource:
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": service, "service.version": version("voicebackend")})


def _exporter(module: str, name: str) -> Any:
    """Return a new OTLP exporter, None where the environment names no endpoint."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    try:
        limit = {} if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else {"timeout": EXPORT_S}
        return getattr(import_module(f"opentelemetry.exporter.otlp.proto.http.{module}"), name)(**limit)
    except ImportError as error:
        raise InvalidConfig("telemetry", 'OTLP export needs: pip install "voicebackend[otlp]"') from error
