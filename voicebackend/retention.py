"""What a deployment keeps of calls, as its API shows it: records, links to them, holds, erasures."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_LINK_S = 7 * 86_400
"""Seconds for which a link is good, at most."""
LINK_S = 900
"""Seconds for which it is good unless it is asked for otherwise."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Subject = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""A user id, or a telephone number that begins with ``+``, however it is spaced."""
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""Two letters, as US: where a number without ``+`` would be dialled."""
SessionId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class RecordView(BaseModel):
    """One object that a session left."""

    id: str
    session: str
    data_class: str
    """``transcript``, ``audio``, ..."""
    name: str
    size: int
    """Bytes."""
    sha256: str
    policy: str
    due: float
    """When it is deleted, seconds since the epoch; later under a hold."""


class RecordList(BaseModel):
    """What a session left and still has."""

    records: list[RecordView]


class LinkRequest(BaseModel):
    """The body of ``POST /v1/records/{id}/link``."""

    model_config = ConfigDict(extra="forbid")

    expires_in: Annotated[int, Field(ge=1, le=MAX_LINK_S)] = LINK_S
    """Seconds."""


class LinkIssued(BaseModel):
    """A link to a record, for whoever has it."""

    id: str
    """Under which its use stands in the audit."""
    url: str = Field(repr=False)
    expires_at: float
    """Seconds since the epoch."""


class HoldRequest(BaseModel):
    """The body of ``POST /v1/holds``: exactly one of session, subject, everything."""

    model_config = ConfigDict(extra="forbid")

    reason: Text
    session: SessionId | None = None
    subject: Subject | None = Field(default=None, repr=False)
    region: Region | None = None
    """The subject is a number of this region."""
    everything: bool = False
    """All of the tenant's objects."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.session is not None) + (self.subject is not None) + self.everything != 1:
            message = "exactly one of session, subject, everything"
            raise ValueError(message)
        return self


class HoldView(BaseModel):
    """A hold in force."""

    id: str
    scope: str
    reason: str
    by: str
    at: float


class HoldPlaced(HoldView):
    """A hold, and how what it covers stood when it came."""

    held: int
    """Objects that stay."""
    too_late: int
    """Objects that a sweep had claimed already: they may be gone."""


class HoldList(BaseModel):
    """The tenant's holds, oldest first."""

    holds: list[HoldView]


class ErasureRequest(BaseModel):
    """The body of ``POST /v1/erasures``."""

    model_config = ConfigDict(extra="forbid")

    subject: Subject = Field(repr=False)
    region: Region | None = None
    """The subject is a number of this region."""


class SubProcessorView(BaseModel):
    """Somebody outside who handled the person's sessions: ask them to delete too."""

    name: str
    """A carrier, provider or engine; or one of your agents, which may have asked others."""
    roles: list[str]
    """``carrier``, ``provider``, ``media``, ``stt``, ``tts``, ``s2s``, ``agent``."""
    calls: list[str]
    """The carrier's ids of the calls."""
    first: float
    """When the first of the sessions began, seconds since the epoch."""
    last: float
    ask: str
    """What to ask of them."""


class MemoryView(BaseModel):
    """What has come of what agents' memory has of an erased person."""

    state: str
    """``none``, ``waiting``, ``held``, ``forgotten``; ``not_reached`` where the memory cannot forget."""
    keys: list[str] = []
    """Under which it may have the person still, where it was not reached; until 30 days later."""
    ask: str = ""
    """What is to be done by hand."""


class ErasureView(BaseModel):
    """A request to erase a person; whom it names is not told."""

    id: str
    state: str
    at: float
    by: str
    sessions: int
    """Sessions whose traces in Redis were deleted."""
    calls: int = 0
    """Calls to the person that were planned or made, and are deleted."""
    live: int
    """Sessions that run still, of which nothing will be kept, and calls that are being ended."""
    left: int
    """Objects still to be deleted."""
    held: int
    """Objects that a hold keeps."""
    memory: MemoryView = MemoryView(state="none")
    notes_cleared: bool = False
    """Whether every Redis was told, since the last deletion, to forget its slow log and append-only file."""
    done_at: float
    sub_processors: list[SubProcessorView] = []
    """Until 30 days after it was done."""


class ReceiptView(BaseModel):
    """The proof that an object was deleted."""

    number: int
    """In the chain of the whole deployment, from 1."""
    id: str
    """The record that it was."""
    tenant: str
    data_class: str
    path_sha256: str
    size: int
    """Bytes."""
    sha256: str
    """Of its content as it was stored."""
    policy: str
    reason: str
    at: float
    """When it was deleted, seconds since the epoch."""
    before: str
    """Hash of the receipt before this one in the chain."""
    handled_by: list[str] = []
    hash: str
    """Of this receipt, by which the next names it."""


class ReceiptPage(BaseModel):
    """Receipts of an erasure, oldest first."""

    receipts: list[ReceiptView]
    cursor: str | None = None
    """For the next page; absent on the last."""


class AuditEntry(BaseModel):
    """One thing that was done with records or API keys."""

    id: str
    at: float
    """Seconds since the epoch."""
    by: str
    """An API key as ``key-<id>``, an AuthHook's user as ``subject-<hash>``, ``link-<id>`` for whoever had the link."""
    action: str
    """``record.read``, ``link.issued``, ``link.used``, ``hold.placed``, ``erasure.asked``, ``data.exported``, ..."""
    about: str
    """The id of the record, hold or erasure, or ``subject-<hash>`` of whose data it was.

    Of API keys ``key-<id>`` and the scopes; of a rotation both ids, the new one second.
    """


class AuditPage(BaseModel):
    """What was done, newest first."""

    entries: list[AuditEntry]
    cursor: str | None = None
    """For the next page; absent on the last."""
