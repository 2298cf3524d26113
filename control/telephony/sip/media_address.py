"""Whether an address in SDP may be the caller's, by where its signalling comes from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from control.telephony.rtp.packet import Place
from control.telephony.sip.events import Source
from control.telephony.sip.settings import Address, Network
from voicebackend.errors import InvalidFormat


class MediaAddresses:
    """What may send media in one call, and be sent to: where signalling comes from, and the trunk's networks."""

    def __init__(self, source: Source, networks: Sequence[Network]) -> None:
        self._source = _plain(source.host)
        self._place = (str(self._source), source.port)
        self._networks = [network for network in networks if network.prefixlen]
        self._known: dict[str, bool] = {}

    def vets(self, host: str) -> bool:
        """Tell whether an IP address may be the far side's; a network of all addresses says nothing."""
        found = self._known.get(host)
        if found is None:
            address = _plain(host)
            found = address == self._source or any(address in network for network in self._networks)
            if len(self._known) < 64:  # noqa: PLR2004 - senders can be many
                self._known[host] = found
        return found

    def check(self, named: Place | None, ours: range) -> None:
        """Return if SDP may name this place; ``ours`` are the ports of our own media.

        A private address that is not known is what callers behind address translation say: it is not sent to.

        Raises:
            InvalidFormat: it is a third party's, a loopback address that is not of this machine, or no media port.

        """
        if named is None:
            return
        address = ip_address(named[0])
        if address.is_loopback != self._source.is_loopback:
            raise InvalidFormat("sdp", "c= has a loopback address where signalling has none, or the other way round")
        if address.is_link_local and not self.vets(named[0]):
            raise InvalidFormat("sdp", "c= has an address that only its own network knows")
        if address.is_global and not self.vets(named[0]):
            raise InvalidFormat("sdp", "c= names a third party: add its network to the trunk's networks if it is none")
        if named == self._place or named[1] < 1024 or (address.is_loopback and named[1] in ours):  # noqa: PLR2004
            raise InvalidFormat("sdp", "m= has a port that is none of media")


def _plain(host: str) -> Address:
    """Return an address; of IPv4 also where a socket for both families has it."""
    address = ip_address(host)
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
