"""One call's offers and answers, and what they came to. Pure."""

from __future__ import annotations

from control.telephony.sip import sdp
from control.telephony.sip.media_address import MediaAddresses
from control.telephony.sip.sdp import Agreed
from control.telephony.sip.settings import SipSettings


class Negotiation:
    """Hears what the far side wants, and says what we want: ``agreed`` is what holds."""

    def __init__(self, settings: SipSettings, addresses: MediaAddresses, *, session: int) -> None:
        """``addresses`` knows which may be the caller's; ``session`` names our SDP."""
        self._settings, self._addresses, self._session = settings, addresses, session
        self._version = 0
        self.agreed: Agreed | None = None
        self.awaits_answer = False
        """Whether we made an offer that is not answered."""

    def __repr__(self) -> str:
        return f"<Negotiation [{self.agreed.direction if self.agreed else 'open'}]>"

    def hear(self, body: bytes) -> Agreed:
        """Take an offer, or the answer to ours; a call that goes on keeps its codec.

        Raises:
            InvalidFormat: we cannot agree on it, or it names a place that cannot be the caller's; all stays as it was.

        """
        keep, ports = self.agreed.media if self.agreed is not None else None, self._settings.media_ports
        found = sdp.agreed(body, keep=keep, family=self._settings.address.version)
        self._addresses.check(found.named, range(ports.first, ports.last + 1))
        self.agreed = found
        return found

    def answer(self, agreed: Agreed, port: int) -> bytes:
        """Return our answer to what was heard, with our port for media."""
        return sdp.answer(agreed, self._place(port), session=self._session, version=self._next())

    def offer(self, port: int) -> bytes:
        """Return an offer of ours."""
        self.awaits_answer = True
        keep = self.agreed.media if self.agreed is not None else None
        return sdp.offer(self._place(port), session=self._session, version=self._next(), keep=keep)

    def _place(self, port: int) -> tuple[str, int]:
        return str(self._settings.address), port

    def _next(self) -> int:
        self._version += 1
        return self._version
