"""The proof that an object was deleted: a line of JSON that names the one before it by its hash. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256

from control.records.entry import Entry
from control.records.handlers import named

FIRST = "0" * 64
"""What the first receipt of a deployment names as the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was deleted, when and why; no content, no name, no number."""

    number: int
    """From 1, without gaps."""
    id: str
    tenant: str
    data_class: str
    path_sha256: str
    size: int
    """Bytes of the object; 0 where it was never written whole."""
    sha256: str
    policy: str
    reason: str
    at: float
    """Seconds since the epoch."""
    before: str
    """Hash of the receipt before this one."""
    handled_by: tuple[str, ...] = ()
    """Who handled its session beside us, as ``role:name``."""

    @property
    def line(self) -> str:
        """The receipt as one line of JSON, always the same."""
        told = asdict(self)
        if not self.handled_by:  # as lines were before there was such a field
            del told["handled_by"]
        return json.dumps(told, sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """What the next receipt names."""
        return sha256(self.line.encode()).hexdigest()

    @classmethod
    def parse(cls, line: str) -> Receipt:
        """Read a line."""
        told = json.loads(line)
        return cls(**{**told, "handled_by": tuple(told.get("handled_by", ()))})


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends: how many receipts there are, and the hash of the last."""

    count: int = 0
    hash: str = FIRST


def chained(entries: Iterable[Entry], head: Head, at: float) -> list[Receipt]:
    """Return receipts for deleted objects, behind ``head``."""
    receipts: list[Receipt] = []
    for entry in entries:
        receipt = Receipt(
            number=head.count + 1,
            id=entry.id,
            tenant=entry.tenant,
            data_class=entry.data_class,
            path_sha256=sha256(entry.path.encode()).hexdigest(),
            size=entry.size,
            sha256=entry.sha256,
            policy=entry.policy,
            reason=entry.reason.value,
            at=at,
            before=head.hash,
            handled_by=named(entry.handled_by),
        )
        receipts.append(receipt)
        head = Head(receipt.number, receipt.hash)
    return receipts


def broken(receipts: Iterable[Receipt], head: Head) -> int | None:
    """Return the number of the first receipt that does not follow from the one before, None if all do."""
    for receipt in receipts:
        if receipt.number != head.count + 1 or receipt.before != head.hash:
            return receipt.number
        head = Head(receipt.number, receipt.hash)
    return None
