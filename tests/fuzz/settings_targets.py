"""What operators write: configuration, routing tables, retention, prices, scenarios; and paths of records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from target import Target, fields

from control.records.paths import ObjectPath
from control.records.policy import RetentionSettings
from control.records.prices import Prices
from control.telephony.routing.decision import Call
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import RoutingTable
from control.telephony.settings import TelephonySettings
from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig, InvalidFormat
from voicebackend.settings import Deployment
from worker.scenarios.loader import load

_FOLDER = TemporaryDirectory(prefix="voicebackend-fuzz-")
_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _file(read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """Return a target of a file that is read."""

    def take(data: bytes) -> None:
        path = Path(_FOLDER.name) / "settings.yaml"
        path.write_bytes(data)
        read(path)

    return take


def routing(path: Path) -> None:
    """A routing table, compiled; and two calls along it."""
    snapshot = Snapshot(RoutingTable.from_file(path))
    for called in ("+14155550123", "anonymous"):
        snapshot.decide(Call(id="c1", called=called, caller="+12025550111"), when=_NOON, explain=True)


def environment(data: bytes) -> None:
    """Variables, one a line, as a process finds them."""
    text = data.decode("utf-8", "surrogateescape").replace("\0", "")
    environ = fields(text.split("\n"), "=")
    environ = {f"VOICEBACKEND_{name}": value for name, value in environ.items() if name not in {"CONFIG", "HOME"}}
    Deployment.from_env(environ)
    BackendConfig.from_env(environ)


def record_path(data: bytes) -> None:
    """Where an object lies: a path that is taken is written the same again, and leads nowhere else."""
    text = data.decode("utf-8", "replace")
    found = str(ObjectPath.parse(text))
    assert found == text
    assert ".." not in found


_YAML = (
    *(b"\n", b": ", b"- ", b"  ", b"{", b"}", b"[" * 200, b"&a ", b"*a", b"!!binary ", b"!!python/object:os.system "),
    *(b"2001-99-99", b"1:99:99", b".nan", b".inf", b"0b_", b"0x_", b"9" * 5000, b"? ", b"<<: ", b"\x00", b"---\n"),
)
TARGETS = (
    Target(name="configuration", read=_file(BackendConfig.from_yaml), refuses=(InvalidConfig,), words=_YAML),
    Target(
        name="environment", read=environment, refuses=(InvalidConfig,), words=(b"PORT=", b"TENANT_RATE=1/s:", *_YAML)
    ),
    Target(name="routing-table", read=_file(routing), refuses=(InvalidConfig,), words=_YAML),
    Target(name="telephony", read=_file(TelephonySettings.from_file), refuses=(InvalidConfig,), words=_YAML),
    Target(name="retention", read=_file(RetentionSettings.from_file), refuses=(InvalidConfig,), words=_YAML),
    Target(name="prices", read=_file(Prices.from_file), refuses=(InvalidConfig,), words=_YAML),
    Target(name="scenario", read=_file(load), refuses=(InvalidConfig,), words=_YAML),
    Target(name="record-path", read=record_path, refuses=(InvalidFormat,), words=(b"../", b"/", b"%2e", b"audio")),
)
