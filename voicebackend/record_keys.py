"""The keys of records: objects that sessions left, holds, erasures, receipts. Pure."""

from __future__ import annotations

from hashlib import sha256


class RecordKeys:
    """A part of ``Keys``. All of these are in ``state``."""

    prefix: str

    def record(self, id_: str) -> str:
        """In ``state``: hash, what is known of one object that a session left. Goes with its object."""
        return f"{self.prefix}:records:entry:{id_}"

    def records_due(self) -> str:
        """In ``state``: sorted set of the objects by when they are deleted, ms since the epoch."""
        return f"{self.prefix}:records:due"

    def records_held(self) -> str:
        """In ``state``: sorted set of the objects that are due and under a hold, by when they were due."""
        return f"{self.prefix}:records:held"

    def records_of(self, session: str) -> str:
        """In ``state``: set of a session's objects."""
        return f"{self.prefix}:records:session:{session}"

    def records_about(self, tenant: str, subject: str) -> str:
        """In ``state``: set of the objects about a subject, by the keyed hash of who it is."""
        return f"{self.prefix}:records:about:{tenant}:{subject}"

    def remembered_about(self, tenant: str, subject: str) -> str:
        """In ``state``: hash of the keys under which agents' memory has what a subject said; goes with an erasure."""
        return f"{self.prefix}:records:remembered:about:{tenant}:{subject}"

    def remembered_under(self, tenant: str, memory_key: str) -> str:
        """In ``state``: set of the subjects of whom memory has something under one key; goes with that."""
        return f"{self.prefix}:records:remembered:under:{tenant}:{sha256(memory_key.encode()).hexdigest()[:32]}"

    def remembering(self, session: str) -> str:
        """In ``state``: present while a session is put into agents' memory; expires with the time for that."""
        return f"{self.prefix}:records:remembering:{session}"

    def records_erased_receipts(self, tenant: str, subject: str) -> str:
        """In ``state``: stream of the receipts of what erasures of a subject deleted; expires a year after the last."""
        return f"{self.prefix}:records:erased-receipts:{tenant}:{subject}"

    def records_store(self) -> str:
        """In ``state``: the name that the store was given at its first use."""
        return f"{self.prefix}:records:store"

    def records_compared(self) -> str:
        """In ``state``: hash, how far store and index are compared. Expires when nobody goes on."""
        return f"{self.prefix}:records:compared"

    def records_released(self) -> str:
        """In ``state``: where a walk through all that is held goes on; expires when nobody does."""
        return f"{self.prefix}:records:released"

    def receipts_lock(self) -> str:
        """In ``state``: present while somebody seals receipts."""
        return f"{self.prefix}:records:receipts-lock"

    def erasure(self, id_: str) -> str:
        """In ``state``: JSON of a request to erase a person; expires a year after it was done."""
        return f"{self.prefix}:records:erasure:{id_}"

    def erasure_handlers(self, id_: str) -> str:
        """In ``state``: hash of who handled an erased person's sessions, and when; expires a month after its end."""
        return f"{self.prefix}:records:erasure:{id_}:handlers"

    def erasure_memories(self, id_: str) -> str:
        """In ``state``: hash of the keys under which memory has an erased person; goes when they are forgotten."""
        return f"{self.prefix}:records:erasure:{id_}:memories"

    def erasures_open(self) -> str:
        """In ``state``: set of the requests that are not yet carried out whole."""
        return f"{self.prefix}:records:erasures-open"

    def erasure_lease(self, id_: str) -> str:
        """In ``state``: whose it is to carry a request to erase a person out; expires with that."""
        return f"{self.prefix}:records:erasure:{id_}:lease"

    def erasure_rest(self, id_: str) -> str:
        """In ``state``: how many holds had been lifted when one kept the rest of a person; expires to look again."""
        return f"{self.prefix}:records:erasure:{id_}:rest"

    def holds_lifted(self) -> str:
        """In ``state``: how many holds were ever lifted, of all tenants. Permanent."""
        return f"{self.prefix}:records:holds-lifted"

    def erasures_turn(self) -> str:
        """In ``state``: the open request that was taken up last; the next run begins behind it."""
        return f"{self.prefix}:records:erasures-turn"

    def records_pending(self) -> str:
        """In ``state``: sorted set of the sessions whose records are to be written, by when they were made."""
        return f"{self.prefix}:records:pending"

    def records_gone(self, id_: str) -> str:
        """In ``state``: present while an object that was deleted could still come back from some disk."""
        return f"{self.prefix}:records:gone:{id_}"

    def records_withdrawn(self, session: str, data_class: str) -> str:
        """In ``state``: when consent was last withdrawn, ms since the epoch; nothing from before that is written."""
        return f"{self.prefix}:records:withdrawn:{session}:{data_class}"

    def records_erased(self, tenant: str, subject: str) -> str:
        """In ``state``: when a person was erased, ms since the epoch; of sessions before that nothing is written."""
        return f"{self.prefix}:records:erased:{tenant}:{subject}"

    def records_holds(self, tenant: str) -> str:
        """In ``state``: hash of a tenant's holds: by scope, JSON of each by its id."""
        return f"{self.prefix}:records:holds:{tenant}"

    def receipts(self) -> str:
        """In ``state``: stream of receipts that are not yet sealed."""
        return f"{self.prefix}:records:receipts"

    def receipts_head(self) -> str:
        """In ``state``: hash ``{count, hash}`` of the last receipt. Permanent."""
        return f"{self.prefix}:records:receipts-head"

    def records_audit(self, tenant: str) -> str:
        """In ``state``: stream of who did what with a tenant's records; expires with its last entry."""
        return f"{self.prefix}:records:audit:{tenant}"

    def records_audit_seen(self, tenant: str, deed: str) -> str:
        """In ``state``: present while the same deed by the same person is not noted again."""
        return f"{self.prefix}:records:audit-seen:{tenant}:{sha256(deed.encode()).hexdigest()[:32]}"
