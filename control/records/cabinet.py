"""Everything that a process needs to keep and find records: policies, store, index, subjects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from control.records.audit import Audit
from control.records.data_class import DataClass
from control.records.entry import Entry
from control.records.handlers import handlers_of
from control.records.holds import Holds
from control.records.index import Index
from control.records.names import names_of
from control.records.objects import Objects
from control.records.paths import ObjectPath, id_of
from control.records.policy import About, RetentionSettings, Rule, snapshot
from control.records.reader import read
from control.records.redacting import Redaction
from control.records.subjects import Subjects
from control.records.vault import Vault
from control.records.writer import write
from voicebackend.errors import InvalidConfig
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord


@dataclass(frozen=True, slots=True)
class Cabinet:
    """A deployment's records."""

    settings: RetentionSettings
    objects: Objects
    index: Index
    holds: Holds
    subjects: Subjects
    audit: Audit
    vault: Vault
    redaction: Redaction

    @classmethod
    def open(cls, path: Path, redis: Redis, keys: Keys, secret: str = "") -> Cabinet:
        """Return what the file of ``VOICEBACKEND_RETENTION`` describes; ``redis`` is the ``state`` role.

        ``secret`` wraps the keys of encrypted records (``VOICEBACKEND_RECORDS_KEY``).

        Raises:
            InvalidConfig: the file is wrong, or its store cannot be opened, or what redacts is not installed.

        """
        settings = settings_of(path)
        if settings.encrypt and not secret:
            message = "encrypt: set VOICEBACKEND_RECORDS_KEY to at least 32 bytes"
            raise InvalidConfig("retention", message, details={"field": "encrypt"})
        index = Index(redis, keys)
        subjects = Subjects(settings.subject_key.get_secret_value().encode())
        audit = Audit(redis, keys, ttl_s=settings.audit.total_seconds())
        redaction = Redaction(settings.redaction)
        objects, holds = Objects.open(settings.store), Holds(redis, keys, index)
        vault = Vault(secret, encrypts=settings.encrypt)
        return cls(settings, objects, index, holds, subjects, audit, vault, redaction)

    async def write(self, entry: Entry, data: bytes) -> bool:
        """Write an object, encrypted where that is wanted; as ``writer.write``."""
        return await write(self.index, self.objects, entry, data, self.vault)

    async def read(self, entry: Entry, *, start: int = 0, end: int | None = None) -> bytes | None:
        """Return an object's content from ``start`` up to ``end``, None if it is not there; as ``reader.read``."""
        return await read(self.objects, self.vault, entry, start=start, end=end)

    def rules_for(self, record: SessionRecord) -> dict[str, list[object]]:
        """Return what holds for a session that begins now, to be written into its record."""
        about = About(record.tenant, record.agent, str(record.metadata.get("retention") or ""))
        return snapshot(self.settings.rules(about))

    def entry(self, record: SessionRecord, kind: DataClass, name: str, rule: Rule) -> Entry:
        """Return the index's entry for one object of a session; the same object always has the same."""
        path = str(ObjectPath.of(record.tenant, kind, record.id, name, began=record.created_at))
        return Entry(
            id=id_of(path),
            path=path,
            tenant=record.tenant,
            data_class=kind.value,
            session=record.id,
            subjects=self.subjects.all(record.tenant, names_of(record)),
            policy=rule.policy,
            due=record.ended_at + rule.ttl_s,
            began=record.created_at,
            handled_by=handlers_of(record),
        )


def settings_of(path: Path) -> RetentionSettings:
    """Return what a file says; raises InvalidConfig also where what redacts is asked for and not installed."""
    settings = RetentionSettings.from_file(path)
    if settings.redacts:
        Redaction(settings.redaction).check()
    return settings
