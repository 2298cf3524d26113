"""Twilio's webhooks: forms signed by HMAC, answered with TwiML."""

from __future__ import annotations

from typing import ClassVar

from control.telephony import signatures
from control.telephony.carriers.carrier import HOLD_S, Incoming, Reply, Told, document, element
from control.telephony.carriers.fields import call_id, once, said, sip_headers
from control.telephony.streams.carrier_socket import TOKEN

BUSY = frozenset({486, 503, 600})
"""SIP statuses that a caller hears as engaged; the others as not in service."""
_CALL_SID = r"CA[0-9a-f]{32}"
_SIP_HEADER = "SipHeader_"


class Twilio:
    """The secret is the account's auth token, or a shared key's."""

    name: ClassVar[str] = "twilio"

    def is_genuine(self, told: Told, secret: str, *, now: float) -> bool:
        """Tell whether the signature is good; it has no time."""
        del now
        given = told.headers.get("X-Twilio-Signature", "")
        settings = told.headers.get("X-Twilio-Webhooks-Signature-Settings", "")
        return signatures.twilio(secret, told.url, told.form, given, settings=settings, body=told.body)

    def once(self, told: Told) -> str:
        """Return the signature."""
        return told.headers.get("X-Twilio-Signature", "")

    def incoming(self, told: Told) -> Incoming:
        """Return the call of ``CallSid``, ``To`` and ``From``."""
        return of_form(told, self.name, _CALL_SID)

    def connect(self, url: str, token: str) -> Reply:
        """Return ``<Connect><Stream>``; such a URL has no query, so the token is a parameter."""
        stream = element("Stream", element("Parameter", name=TOKEN, value=token), url=url)
        return document(element("Connect", stream))

    def refuse(self, code: int) -> Reply:
        """Return ``<Reject>``."""
        return document(element("Reject", reason="busy" if code in BUSY else "rejected"))

    def hold(self, told: Told, url: str) -> Reply:
        """Return ``<Pause>`` and ``<Redirect>``: where nothing was said yet, it rings on meanwhile."""
        del told
        return document(element("Pause", length=str(HOLD_S)), element("Redirect", text=url, method="POST"))


def of_form(told: Told, carrier: str, id_pattern: str) -> Incoming:
    """Return the call of a form as Twilio, and those who followed it, send it.

    Raises:
        InvalidFormat: its id is none, or a field comes twice.

    """
    form = once(told.form, ("CallSid", "To", "From", "StirVerstat"), carrier)
    return Incoming(
        call_id=call_id(form.get("CallSid"), id_pattern, "CallSid", carrier),
        called=said(form.get("To")),
        caller=said(form.get("From")),
        headers=sip_headers(form, _SIP_HEADER),
        attestation=said(form.get("StirVerstat")),
    )
