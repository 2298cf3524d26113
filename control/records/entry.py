"""What the index knows of one object. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from control.records.handlers import Handler, decoded, encoded


class EntryState(StrEnum):
    """Where an object stands in its life."""

    WRITING = "writing"
    """It is noted, and may be in the store."""
    STORED = "stored"
    DELETING = "deleting"
    """A sweep has claimed it: it may be gone from the store."""


class Reason(StrEnum):
    """Why an object is deleted."""

    TTL = "ttl"
    ERASURE = "erasure"
    WITHDRAWN = "withdrawn"
    """Whoever had consented to it did so no more."""
    UNSURE = "unsure"
    """It came so late that nobody knew any more whether consent to it had been withdrawn."""
    MISSING = "missing"
    """It was not in the store any more, and nobody here had deleted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object: where it lies, whose it is, and when it goes."""

    id: str
    path: str
    tenant: str
    data_class: str
    session: str
    subjects: tuple[str, ...] = ()
    """Who it is about, as keyed hashes (``subjects.Subjects``): never a number or a name."""
    policy: str = ""
    """The policy that it was written under."""
    due: float
    """When it is deleted, seconds since the epoch."""
    began: float = 0.0
    """When its session began, seconds since the epoch; 0 where nobody knows."""
    made: float = 0.0
    """When what is in it begins, seconds since the epoch; 0 is with its session."""
    handled_by: tuple[Handler, ...] = ()
    """Who handled its session beside us."""
    key: str = field(default="", repr=False)
    """By which it is encrypted, wrapped; empty where it is not. Goes with this, and then no copy can be read."""
    size: int = 0
    """Bytes; 0 until it is stored."""
    sha256: str = ""
    state: EntryState = EntryState.WRITING
    reason: Reason = Reason.TTL

    def to_fields(self) -> dict[str, str]:
        """Return the fields of its Redis hash."""
        return {
            "path": self.path,
            "tenant": self.tenant,
            "class": self.data_class,
            "session": self.session,
            "subjects": ",".join(self.subjects),
            "policy": self.policy,
            "due": str(round(self.due * 1000)),
            "began": str(round(self.began * 1000)),
            "made": str(round(self.made * 1000)),
            "handled_by": encoded(self.handled_by),
            "key": self.key,
            "bytes": str(self.size),
            "sha256": self.sha256,
            "state": self.state.value,
            "reason": self.reason.value,
        }

    @classmethod
    def from_fields(cls, id_: str, raw: Mapping[bytes, bytes]) -> Self:
        """Read its Redis hash."""
        text = {name.decode(): value.decode() for name, value in raw.items()}
        return cls(
            id=id_,
            path=text["path"],
            tenant=text["tenant"],
            data_class=text["class"],
            session=text["session"],
            subjects=tuple(filter(None, text["subjects"].split(","))),
            policy=text["policy"],
            due=int(text["due"]) / 1000,
            began=int(text["began"]) / 1000,
            made=int(text.get("made", "0")) / 1000,
            handled_by=decoded(text.get("handled_by", "")),
            key=text.get("key", ""),
            size=int(text["bytes"]),
            sha256=text["sha256"],
            state=EntryState(text["state"]),
            reason=Reason(text["reason"]),
        )
