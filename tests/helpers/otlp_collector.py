"""What receives traces and metrics by OTLP over HTTP, in the place of a collector, and reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanSeen:
    """A span as a collector gets it; moments in seconds since the epoch."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: int
    start_s: float
    end_s: float
    attributes: dict[str, Any]
    links: tuple[str, ...]
    """Ids of the spans that it is linked to."""
    events: int
    failed: bool


@dataclass
class Collector:
    """Listens on a free port while its context is open."""

    spans: list[SpanSeen] = field(default_factory=list)
    points: dict[str, dict[str, set[tuple[tuple[str, str], ...]]]] = field(default_factory=dict)
    """Labels of the points of each metric, by service and metric."""
    raw: bytearray = field(default_factory=bytearray)
    """Everything that came, as it came."""
    url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/traces", self._traces)
        app.router.add_post("/v1/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _traces(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = str(_plain(resource.resource.attributes)["service.name"])
            for scope in resource.scope_spans:
                self.spans.extend(_seen(service, one) for one in scope.spans)
        return web.Response(content_type="application/x-protobuf")

    async def _metrics(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw += body
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            service = str(_plain(resource.resource.attributes)["service.name"])
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = getattr(metric, metric.WhichOneof("data") or "").data_points
                    known = self.points.setdefault(service, {}).setdefault(metric.name, set())
                    known |= {tuple(sorted((k, str(v)) for k, v in _plain(p.attributes).items())) for p in points}
        return web.Response(content_type="application/x-protobuf")


def _seen(service: str, one: Any) -> SpanSeen:
    return SpanSeen(
        service=service,
        name=one.name,
        trace=one.trace_id.hex(),
        id=one.span_id.hex(),
        parent=one.parent_span_id.hex(),
        kind=one.kind,
        start_s=one.start_time_unix_nano / 1e9,
        end_s=one.end_time_unix_nano / 1e9,
        attributes=_plain(one.attributes),
        links=tuple(link.span_id.hex() for link in one.links),
        events=len(one.events),
        failed=one.status.code == 2,
    )


def _plain(attributes: Iterable[Any]) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
