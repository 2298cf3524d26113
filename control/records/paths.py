"""Where an object lies: tenant first, then class and day, so that a bucket's own rules can speak of them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256

from control.records.data_class import DataClass
from voicebackend.errors import InvalidFormat

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PATH = re.compile(rf"({_PART})/([a-z_]+)/(\d{{4}})/(\d\d)/(\d\d)/([0-9a-f]{{32}})/({_PART})")


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """``tenant/class/yyyy/mm/dd/session/name``; every part is ours, none is what a caller or a vendor said."""

    tenant: str
    data_class: DataClass
    day: date
    """In UTC, on which the session began."""
    session: str
    name: str
    """With its suffix, ``transcript.json``."""

    def __post_init__(self) -> None:
        """Raise InvalidFormat if a part could not be read back."""
        if ObjectPath._parts(str(self)) is None:
            raise InvalidFormat("records", "not a path of ours", details={"field": "path"})

    def __str__(self) -> str:
        return f"{self.tenant}/{self.data_class}/{self.day:%Y/%m/%d}/{self.session}/{self.name}"

    @classmethod
    def of(cls, tenant: str, data_class: DataClass, session: str, name: str, *, began: float) -> ObjectPath:
        """Return the path of a session's object; ``began`` is in seconds since the epoch."""
        return cls(tenant, data_class, datetime.fromtimestamp(began, UTC).date(), session, name)

    @classmethod
    def parse(cls, text: str) -> ObjectPath:
        """Read a path.

        Raises:
            InvalidFormat: it is none of ours.

        """
        parts = cls._parts(text)
        if parts is None:
            raise InvalidFormat("records", "not a path of ours", details={"field": "path"})
        tenant, data_class, day, session, name = parts
        return cls(tenant, data_class, day, session, name)

    @staticmethod
    def _parts(text: str) -> tuple[str, DataClass, date, str, str] | None:
        found = _PATH.fullmatch(text)
        if found is None or ".." in text:
            return None
        tenant, data_class, year, month, day, session, name = found.groups()
        try:
            return tenant, DataClass(data_class), date(int(year), int(month), int(day)), session, name
        except ValueError:
            return None


def id_of(path: str) -> str:
    """Return the id of the object at a path, always the same: 32 hexadecimal digits."""
    return sha256(path.encode()).hexdigest()[:32]
