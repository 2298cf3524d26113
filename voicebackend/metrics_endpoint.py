"""``/metrics``: this process's figures for Prometheus, on an address of their own, which callers never reach."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from voicebackend.errors import InvalidConfig

if TYPE_CHECKING:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader

logger = logging.getLogger(__name__)

METRICS = "VOICEBACKEND_METRICS"
_FORM = re.compile(r"(?P<host>[^:\s]+|\[[0-9A-Fa-f:]+\]):(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?")
_HIGHEST = 65_535


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where processes of one machine serve metrics: each takes the first port that is free."""

    host: str
    first: int
    last: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self | None:
        """Read ``VOICEBACKEND_METRICS``, ``host:port`` or ``host:first-last``; None where it is not set.

        Raises:
            InvalidConfig: it does not have that form.

        """
        text = environ.get(METRICS, "")
        if not text:
            return None
        found = _FORM.fullmatch(text)
        first = int(found["first"]) if found else 0
        last = int(found["last"] or first) if found else 0
        if found is None or not 0 <= first <= last <= _HIGHEST:
            message = f"{METRICS}: host:port or host:first-last, as 127.0.0.1:9464-9479"
            raise InvalidConfig("telemetry", message, details={"field": METRICS})
        return cls(found["host"].strip("[]"), first, last)

    def ports(self) -> Iterator[int]:
        """Return the ports to try."""
        return iter(range(self.first, self.last + 1))


class MetricsEndpoint:
    """One process's. A reader belongs to the meters; ``serve`` answers with what it reads."""

    def __init__(self) -> None:
        self._reader: PrometheusMetricReader | None = None
        self._registry: Any = None
        self._server: Any = None

    def reader(self) -> PrometheusMetricReader | None:
        """Return a reader of metrics, None where nobody wants to see them.

        Raises:
            InvalidConfig: the extra is not installed, or the address cannot be read.

        """
        if MetricsAddress.from_env() is None:
            return None
        try:
            from opentelemetry.exporter.prometheus import PrometheusMetricReader
            from prometheus_client import CollectorRegistry
        except ImportError as error:
            raise InvalidConfig("telemetry", f'{METRICS} needs: pip install "voicebackend[prometheus]"') from error
        self._registry = CollectorRegistry()
        self._reader = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)
        return self._reader

    def serve(self) -> int | None:
        """Answer at the first port that is free, in a thread; return it, None where nothing is to be served.

        In a process that was forked it serves anew, and lets go of what it inherited.

        Raises:
            InvalidConfig: no port is free.

        """
        address = MetricsAddress.from_env()
        if self._reader is None or address is None:
            return None
        self.close()
        for port in address.ports():
            if self._listens(address.host, port):
                found = int(self._server.server_address[1])
                logger.info("metrics served", extra={"host": address.host, "port": found})
                return found
        message = f"{METRICS}: no port is free from {address.first} to {address.last}: give more, one for each process"
        raise InvalidConfig("telemetry", message, details={"field": METRICS})

    def close(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.socket.close()
            self._server = None

    def _listens(self, host: str, port: int) -> bool:
        from prometheus_client import start_http_server

        try:
            self._server, _ = start_http_server(port, host, registry=self._registry)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            message = f"{METRICS}: cannot listen on {host}:{port}: {error.strerror}"
            raise InvalidConfig("telemetry", message, details={"field": METRICS}) from error
        return True


endpoint = MetricsEndpoint()
"""This process's."""
