"""The proof of consents: one document for each that was given or withdrawn, naming nobody; and what a withdrawal ends.

Who consented stands in it as the keyed hashes of ``subjects`` only: whoever names a person can show that it was they,
and the document can outlive the erasure of everything that tells who they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.entry import Reason
from control.records.policy import restored
from voicebackend.record import SessionRecord


async def keep_consents(cabinet: Cabinet, record: SessionRecord) -> int:
    """Write the proof of each consent and withdrawal of a session that is over; return how many.

    The hook is not asked: it says what may be kept of a person, not what its keeper has to be able to show.
    """
    rule = restored(record.retention, DataClass.CONSENT)
    written = 0
    for number, said in enumerate(record.consent if rule.ttl_s else (), 1):
        entry = cabinet.entry(record, DataClass.CONSENT, f"consent-{number:03}.json", rule)
        entry = replace(entry, due=max(record.ended_at, float(said["at"])) + rule.ttl_s, made=float(said["at"]))
        written += await cabinet.write(entry, proof(record, said, entry.subjects))
    return written


def proof(record: SessionRecord, said: Mapping[str, Any], subjects: tuple[str, ...]) -> bytes:
    """Return the document: what was said, when and how, of which session, by whom as hashes."""
    return json.dumps({"session": record.id, "subjects": subjects, **said}, ensure_ascii=False, indent=1).encode()


async def erase_withdrawn(cabinet: Cabinet, record: SessionRecord) -> int:
    """Have deleted what was kept before its consent was withdrawn, unless a hold keeps it; return how many objects."""
    withdrawn = {kind: float(said["at"]) for said in record.consent if not said["given"] for kind in said["classes"]}
    if not withdrawn:
        return 0
    count = 0
    async for ids in cabinet.index.of_session(record.id):
        entries = await cabinet.index.many(ids)
        mine = [one.id for one in entries if (one.made or one.began) <= withdrawn.get(one.data_class, -1.0)]
        count += len(await cabinet.index.sooner(mine, Reason.WITHDRAWN)) if mine else 0
    return count
