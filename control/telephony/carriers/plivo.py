"""Plivo's webhooks: forms signed by HMAC with a nonce, answered with Plivo XML."""

from __future__ import annotations

from typing import ClassVar

from control.telephony import signatures
from control.telephony.carriers.carrier import HOLD_S, Incoming, Reply, Told, document, element, with_plus
from control.telephony.carriers.fields import UUID, call_id, once, said
from control.telephony.carriers.twilio import BUSY
from control.telephony.streams.carrier_socket import TOKEN


class Plivo:
    """The secret is the account's auth token."""

    name: ClassVar[str] = "plivo"

    def is_genuine(self, told: Told, secret: str, *, now: float) -> bool:
        """Tell whether one of the signatures is good; they have no time."""
        del now
        given, nonce = (told.headers.get(f"X-Plivo-Signature-V3{part}", "") for part in ("", "-Nonce"))
        return signatures.plivo(secret, told.url, told.form, method=told.method, signatures=given, nonce=nonce)

    def once(self, told: Told) -> str:
        """Return the nonce, which is signed."""
        return told.headers.get("X-Plivo-Signature-V3-Nonce", "")

    def incoming(self, told: Told) -> Incoming:
        """Return the call of ``CallUUID``, ``To`` and ``From``."""
        form = once(told.form, ("CallUUID", "To", "From", "StirVerification"), self.name)
        return Incoming(
            call_id=call_id(form.get("CallUUID"), UUID, "CallUUID", self.name),
            called=with_plus(said(form.get("To"))),
            caller=with_plus(said(form.get("From"))),
            attestation=said(form.get("StirVerification")),
        )

    def connect(self, url: str, token: str) -> Reply:
        """Return ``<Stream>``, both ways, with the token, letters and digits only, among its extra headers."""
        stream = element("Stream", text=url, bidirectional="true", keepCallAlive="true")
        stream.set("contentType", "audio/x-mulaw;rate=8000")
        stream.set("extraHeaders", f"{TOKEN}={token}")
        return document(stream)

    def refuse(self, code: int) -> Reply:
        """Return ``<Hangup>``."""
        return document(element("Hangup", reason="busy" if code in BUSY else "rejected"))

    def hold(self, told: Told, url: str) -> Reply:
        """Return ``<Wait>`` and ``<Redirect>``: where nothing was said yet, it rings on meanwhile."""
        del told
        return document(element("Wait", length=str(HOLD_S)), element("Redirect", text=url, method="POST"))
