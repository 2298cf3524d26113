"""SIP in the place of a carrier: its calls come as signalling, and no webhook is ever one of its."""

from __future__ import annotations

from typing import ClassVar, NoReturn

from control.telephony.carriers.carrier import Told
from voicebackend.errors import InvalidFormat


class SipCarrier:
    """Takes the place of a carrier where a line has one."""

    name: ClassVar[str] = "sip"

    def is_genuine(self, told: Told, secret: str, *, now: float) -> bool:
        """Tell that it is not: whoever sends a webhook for a SIP trunk is somebody else."""
        del told, secret, now
        return False

    def once(self, told: Told) -> str:
        """Return nothing: there is no signature."""
        del told
        return ""

    def incoming(self, told: Told) -> NoReturn:
        """Refuse: nothing that comes by HTTP is a call by SIP."""
        del told
        raise InvalidFormat("incoming_call", "calls of this trunk come by SIP")

    def connect(self, url: str, token: str) -> NoReturn:
        """Refuse: the user agent answers calls by SIP itself."""
        del url, token
        raise InvalidFormat("incoming_call", "calls of this trunk come by SIP")

    def refuse(self, code: int) -> NoReturn:
        """Refuse: the user agent refuses calls by SIP itself."""
        del code
        raise InvalidFormat("incoming_call", "calls of this trunk come by SIP")

    def hold(self, told: Told, url: str) -> NoReturn:
        """Refuse: calls by SIP ring until they are answered."""
        del told, url
        raise InvalidFormat("incoming_call", "calls of this trunk come by SIP")
