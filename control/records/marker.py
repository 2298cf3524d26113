"""Whether the store is the one that the index speaks of: in a bare mount point all objects look as if they were gone.

At its first use the store gets an object with a name of its own, which the index notes. Where that object is not
there, nothing is written, deleted or given a receipt.
"""

from __future__ import annotations

import secrets

from control.records.index import Index
from control.records.objects import Objects
from control.records.seal import last_sealed
from voicebackend.errors import ConnectionFailed

PATH = "_store/name"
"""No tenant's name begins with ``_``."""


class WrongStore(ConnectionFailed):
    """The store is not the one whose objects are known: see that its volume is mounted, its URL right."""


async def check(index: Index, objects: Objects) -> None:
    """Return if the store is the one that the index knows; one that has no name yet gets it.

    Raises:
        WrongStore: it is another, or an empty one in its place.
        ConnectionFailed: Redis or the store is not there.

    """
    known = await index.store_name()
    found = await objects.read(PATH)
    if known is None:
        if found is None:
            await objects.create(PATH, secrets.token_hex(16).encode())
            found = await objects.read(PATH)  # another process may have been first
        await index.resume(await last_sealed(objects))  # Redis may have lost what it knew, the store not
        known = await index.store_name(found)
    if found != known:
        raise WrongStore("records")
