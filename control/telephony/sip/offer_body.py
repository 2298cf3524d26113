"""The body of a request that may offer media: SDP, as it is, and not without end."""

from __future__ import annotations

from control.telephony.sip import sdp
from control.telephony.sip.message import Request
from control.telephony.sip.reply import Refusal


def refusal(request: Request) -> Refusal | None:
    """Return how a request is refused for its body; None if that may be SDP, or there is none."""
    if not request.body:
        return None
    if request.content_type != sdp.KIND:
        return Refusal(415, (("Accept", sdp.KIND),))
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        return Refusal(415, (("Accept-Encoding", "identity"),))
    if len(request.body) > sdp.MAX_BYTES:
        return Refusal(413, (("Accept", sdp.KIND),))
    return None
