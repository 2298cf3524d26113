"""What a deployment keeps of calls, over HTTP: records and links to them, erasures, exports, holds, the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from voicebackend.client.http import HttpApi
from voicebackend.retention import (
    LINK_S,
    AuditPage,
    ErasureView,
    HoldList,
    HoldPlaced,
    HoldView,
    LinkIssued,
    ReceiptPage,
    RecordList,
    RecordView,
)

EXPORT_S = 600.0
"""Seconds in which a server puts an archive together."""


class RecordService:
    """One deployment's records. Every method raises the problem that the server tells, as an error of ours."""

    def __init__(self, api: HttpApi) -> None:
        self._api = api

    async def of_session(self, session_id: str) -> list[RecordView]:
        """Return what a session left and still has, by name."""
        path = f"/v1/sessions/{quote(session_id, safe='')}/records"
        return (await self._api.get("list_records", path, RecordList)).records

    def content(self, record_id: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield a record's bytes piece by piece, from ``start`` up to ``end``; raises as it is first asked.

        Raises:
            InvalidConfig: the record has no byte at ``start``.

        """
        whole = not start and end is None
        headers = {} if whole else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        return self._api.download("fetch_record", "GET", _record(record_id), headers=headers)

    async def link(self, record_id: str, *, expires_in: int = LINK_S) -> LinkIssued:
        """Return a link that opens a record without a key, for so many seconds: 1 to 604,800."""
        body = {"expires_in": expires_in}
        told = await self._api.send("link_record", "POST", f"{_record(record_id)}/link", body=body)
        return LinkIssued.model_validate(told)

    async def erase(self, subject: str, *, region: str | None = None) -> ErasureView:
        """Have everything about a person erased; ask ``erasure`` how far that has come.

        It is a user id, or a telephone number: one that begins with ``+``, or one of a ``region`` (two letters).
        """
        told = await self._api.send("erase", "POST", "/v1/erasures", body=_whom(subject, region))
        return ErasureView.model_validate(told)

    async def erasure(self, erasure_id: str) -> ErasureView:
        """Return how far an erasure has come."""
        return await self._api.get("erasure", f"/v1/erasures/{quote(erasure_id, safe='')}", ErasureView)

    async def receipts(self, erasure_id: str, cursor: str = "") -> ReceiptPage:
        """Return up to 100 receipts of what an erasure deleted, oldest first, those after the page with this cursor."""
        path = f"/v1/erasures/{quote(erasure_id, safe='')}/receipts?cursor={quote(cursor)}"
        return await self._api.get("erasure_receipts", path, ReceiptPage)

    def export(self, subject: str, *, region: str | None = None) -> AsyncIterator[bytes]:
        """Yield a zip of everything that is kept about a person (as of ``erase``); raises as it is first asked."""
        body = _whom(subject, region)
        return self._api.download("export", "POST", "/v1/exports", body=body, patience_s=EXPORT_S)

    async def hold(
        self,
        reason: str,
        *,
        session: str | None = None,
        subject: str | None = None,
        region: str | None = None,
        everything: bool = False,
    ) -> HoldPlaced:
        """Keep a session's, a person's (as of ``erase``) or all records until it is released: one of the three."""
        asked = {"session": session, "subject": subject, "region": region, "everything": everything or None}
        body = {"reason": reason} | {name: value for name, value in asked.items() if value is not None}
        return HoldPlaced.model_validate(await self._api.send("hold", "POST", "/v1/holds", body=body))

    async def holds(self) -> list[HoldView]:
        """Return the holds in force, oldest first."""
        return (await self._api.get("list_holds", "/v1/holds", HoldList)).holds

    async def release(self, hold_id: str) -> None:
        """Lift a hold: what no other covers is deleted when it is due."""
        await self._api.send("release_hold", "DELETE", f"/v1/holds/{quote(hold_id, safe='')}")

    async def audit(self, cursor: str = "") -> AuditPage:
        """Return up to 100 deeds, newest first, those after the page with this cursor."""
        return await self._api.get("audit", f"/v1/audit?cursor={quote(cursor)}", AuditPage)


def _whom(subject: str, region: str | None) -> dict[str, str]:
    return {"subject": subject} | ({"region": region} if region else {})


def _record(record_id: str) -> str:
    return f"/v1/records/{quote(record_id, safe='')}"
