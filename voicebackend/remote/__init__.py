"""Calls between processes: hooks and agents that cannot travel are answered where they live.

``Objects`` is the side that has them, ``Remote`` the side that calls. Both read an inbox of their own; a call is one
CALL frame to the owner's inbox, its answer one or more RESULT frames to the caller's. ``seq`` is the call's number.
"""

from voicebackend.remote.calls import PREFIX, Reference
from voicebackend.remote.lookup import current, resolve, use
from voicebackend.remote.objects import Objects
from voicebackend.remote.remote import Remote

__all__ = ["PREFIX", "Objects", "Reference", "Remote", "current", "resolve", "use"]
