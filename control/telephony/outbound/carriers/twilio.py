"""Twilio's REST API: calls created, ended, handed over and looked up."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Self

from control.telephony.carriers.carrier import document, element
from control.telephony.outbound.carrier import CallStatus, DialOrder, Outcome
from control.telephony.outbound.carriers.api import Answer, CarrierApi
from control.telephony.outbound.line import CarrierSetup
from voicebackend.errors import ConnectionFailed, InvalidConfig, InvalidFormat

URL = "https://api.twilio.com"
OUTCOMES: Mapping[str, Outcome] = {
    "ringing": Outcome.RINGING,
    "in-progress": Outcome.ANSWERED,
    "completed": Outcome.COMPLETED,
    "busy": Outcome.BUSY,
    "no-answer": Outcome.NO_ANSWER,
    "failed": Outcome.FAILED,
    "canceled": Outcome.CANCELLED,
}
"""By ``CallStatus``; ``queued`` and ``initiated`` tell nothing yet."""
CALL_SID = re.compile(r"CA[0-9a-f]{32}")
EVENTS = ("initiated", "ringing", "answered", "completed")
RECENT_S = 900.0
"""Seconds within which a call to the same number may be the one that is looked for."""
TRANSFER_RING_S = 20
"""Seconds that whom a call is handed over to has to answer."""
_OVER = frozenset({"21220", "20404"})
"""Codes of a call that cannot be changed any more, or is not there."""


class TwilioCalls:
    """One account. Twilio takes no idempotency key, and shows nothing of ours in a call: see ``find``."""

    polled: ClassVar[bool] = False
    joins_room: ClassVar[bool] = False

    def __init__(self, account: str, token: str, *, url: str = URL) -> None:
        """``token`` is the account's auth token; ``url`` another region's, say."""
        key = b64encode(f"{account}:{token}".encode()).decode()
        path = f"{url.rstrip('/')}/2010-04-01/Accounts/{account}"
        self._api = CarrierApi("twilio", path, headers={"Authorization": f"Basic {key}"})

    def __repr__(self) -> str:
        return "<TwilioCalls>"

    @classmethod
    def of(cls, setup: CarrierSetup) -> Self:
        """Return the carrier of a trunk; raises InvalidConfig if its account is missing."""
        if setup.trunk.account is None:
            field = f"trunks.{setup.name}.account"
            message = f"{field}: set it to call, or to hand over calls: AC and 32 letters and digits"
            raise InvalidConfig("telephony", message, details={"field": field})
        return cls(setup.trunk.account, setup.secret, url=setup.trunk.api_url or URL)

    async def dial(self, order: DialOrder) -> str:
        """Create the call; whether a machine answers is told while the conversation goes on already."""
        answer = await self._api.ask("dial", "POST", "/Calls.json", form=_creation(order))
        return _sid(answer.checked("twilio.dial"))

    async def hang_up(self, carrier_call_id: str) -> None:
        """End it in whatever state it is."""
        answer = await self._update("hang_up", carrier_call_id, ("Status", "completed"))
        if answer.code not in _OVER:
            answer.checked("twilio.hang_up")

    async def transfer(self, carrier_call_id: str, to: str, *, back_url: str) -> None:
        """Have the call go on with ``<Dial>``: its media stream ends with that."""
        dial = element("Dial", text=to, answerOnBridge="true", timeout=str(TRANSFER_RING_S))
        dial.set("action", back_url)
        twiml = document(dial).body.decode()
        answer = await self._update("transfer", carrier_call_id, ("Twiml", twiml))
        if answer.code in _OVER:
            raise InvalidConfig("twilio.transfer", "the call is over")
        answer.checked("twilio.transfer")

    async def find(self, order: DialOrder) -> CallStatus | None:
        """Return the call by its id; without one, None if no call between the two numbers is recent.

        Where there is one, nobody can tell whose it is: it may be the attempt before, or this one, which then tells by
        its status callback.
        """
        if order.carrier_call_id:
            return await self._known(order)
        params = {"To": order.to, "From": order.from_, "PageSize": "20"}
        answer = await self._api.ask("find", "GET", "/Calls.json", params=params)
        calls = answer.checked("twilio.find").get("calls")
        if not isinstance(calls, list):
            raise ConnectionFailed("twilio.find", "the answer lists no calls")
        if any(_is_recent(call, time.time()) for call in calls):
            raise ConnectionFailed("twilio.find", "there is a call between these numbers: whose, cannot be told")
        return None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._api.aclose()

    async def _known(self, order: DialOrder) -> CallStatus | None:
        answer = await self._api.ask("find", "GET", f"/Calls/{_checked_sid(order.carrier_call_id)}.json")
        told = answer.checked("twilio.find")
        outcome = OUTCOMES.get(str(told.get("status")), Outcome.RINGING)
        machine = is_machine(told.get("answered_by"))
        return CallStatus(
            call=order.call,
            attempt=order.attempt,
            outcome=outcome,
            carrier_call_id=order.carrier_call_id,
            at=time.time(),
            machine=machine,
        )

    async def _update(self, op: str, sid: str, *fields: tuple[str, str]) -> Answer:
        return await self._api.ask(op, "POST", f"/Calls/{_checked_sid(sid)}.json", form=list(fields))


def is_machine(answered_by: object) -> bool | None:
    """Return what ``AnsweredBy`` says; a fax is a machine too, and ``unknown`` is not known."""
    if not isinstance(answered_by, str) or answered_by in {"", "unknown"}:
        return None
    return answered_by != "human"


def _creation(order: DialOrder) -> list[tuple[str, str]]:
    """Return the form that creates a call."""
    form = [
        ("To", order.to),
        ("From", order.from_),
        ("Url", order.answer_url),
        ("Method", "POST"),
        ("StatusCallback", order.status_url),
        ("StatusCallbackMethod", "POST"),
        *(("StatusCallbackEvent", event) for event in EVENTS),
        ("Timeout", str(order.ring_s)),
    ]
    if order.detect_machine:
        form += [
            ("MachineDetection", "DetectMessageEnd" if order.await_greeting else "Enable"),
            ("AsyncAmd", "true"),
            ("AsyncAmdStatusCallback", order.status_url),
            ("AsyncAmdStatusCallbackMethod", "POST"),
        ]
    return form


def _sid(told: Mapping[str, Any]) -> str:
    sid = told.get("sid")
    if not isinstance(sid, str) or not CALL_SID.fullmatch(sid):
        raise ConnectionFailed("twilio.dial", "the answer has no call id")
    return sid


def _checked_sid(sid: str) -> str:
    """Return an id that may stand in a path; raises InvalidFormat."""
    if not CALL_SID.fullmatch(sid):
        raise InvalidFormat("twilio", "not the id of a call at Twilio")
    return sid


def _is_recent(call: object, now: float) -> bool:
    """Tell whether a call in a list was made within ``RECENT_S``; one whose time cannot be read was."""
    created = call.get("date_created") if isinstance(call, dict) else None
    try:
        return now - parsedate_to_datetime(str(created)).timestamp() < RECENT_S
    except (ValueError, TypeError, OverflowError):
        return True
