"""Telnyx' TeXML webhooks: forms as Twilio's, signed by Ed25519 with a time."""

from __future__ import annotations

from typing import ClassVar

from control.telephony import signatures
from control.telephony.carriers.carrier import HOLD_S, Incoming, Reply, Told, document, element
from control.telephony.carriers.twilio import BUSY, of_form
from control.telephony.streams.carrier_socket import TOKEN

_CALL_SID = r"[A-Za-z0-9:_-]{1,128}"
"""Telnyx promises no form."""
_CODEC = "PCMU"
_RATE = "8000"


class Telnyx:
    """The secret is the account's public key, in base64."""

    name: ClassVar[str] = "telnyx"

    def is_genuine(self, told: Told, secret: str, *, now: float) -> bool:
        """Tell whether the signature is good and not older than five minutes."""
        given = told.headers.get("telnyx-signature-ed25519", "")
        return signatures.telnyx(secret, told.body, given, told.headers.get("telnyx-timestamp", ""), now=now)

    def once(self, told: Told) -> str:
        """Return nothing: signatures have a time."""
        del told
        return ""

    def incoming(self, told: Told) -> Incoming:
        """Return the call of ``CallSid``, ``To`` and ``From``."""
        return of_form(told, self.name, _CALL_SID)

    def connect(self, url: str, token: str) -> Reply:
        """Return ``<Connect><Stream>`` in the mode in which audio goes both ways frame by frame, as mu-law."""
        parameter = element("Parameter", name=TOKEN, value=token)
        stream = element("Stream", parameter, url=url, codec=_CODEC, bidirectionalMode="rtp")
        stream.set("bidirectionalCodec", _CODEC)
        stream.set("bidirectionalSamplingRate", _RATE)
        return document(element("Connect", stream))

    def refuse(self, code: int) -> Reply:
        """Return ``<Reject>``."""
        return document(element("Reject", reason="busy" if code in BUSY else "rejected"))

    def hold(self, told: Told, url: str) -> Reply:
        """Return ``<Pause>`` and ``<Redirect>``."""
        del told
        return document(element("Pause", length=str(HOLD_S)), element("Redirect", text=url, method="POST"))
