"""Which trunk a message comes by: the network that it comes from says so, and nothing in the message does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from control.telephony.sip.settings import DIGESTS, DigestName, Network


@dataclass(frozen=True, slots=True)
class TrunkAccess:
    """Who may call by a trunk."""

    networks: tuple[Network, ...]
    user: str = ""
    """Empty asks for none."""
    secret: str = field(default="", repr=False)
    digests: tuple[DigestName, ...] = DIGESTS
    """How it may prove that it has them, in the order in which it is asked."""


class Trunks:
    """Finds a trunk by the address that its message came from."""

    def __init__(self, trunks: Mapping[str, TrunkAccess]) -> None:
        self._trunks = dict(trunks)
        self._networks = sorted(
            ((network, name) for name, trunk in trunks.items() for network in trunk.networks),
            key=lambda one: (-one[0].prefixlen, one[1]),
        )

    def __getitem__(self, name: str) -> TrunkAccess:
        return self._trunks[name]

    def named(self, host: str) -> str:
        """Return the name of the trunk with the smallest network that this IP address is in; empty if there is none."""
        return next(iter(self.all(host)), "")

    def all(self, host: str) -> list[str]:
        """Return the names of all trunks that this IP address is in, the smallest network's first."""
        address = ip_address(host)
        if address.version == 6 and address.ipv4_mapped is not None:  # noqa: PLR2004 - a socket for both families
            address = address.ipv4_mapped
        return list(dict.fromkeys(name for network, name in self._networks if address in network))

    def kept(self, names: Collection[str], newer: Trunks) -> Trunks:
        """Return these of the names with all networks that they have here or in a newer table."""
        tables = (self._trunks, newer._trunks)
        networks = {name: [net for table in tables if name in table for net in table[name].networks] for name in names}
        return Trunks({name: TrunkAccess(tuple(dict.fromkeys(found))) for name, found in networks.items() if found})
