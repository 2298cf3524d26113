"""The models, memory and retrieval that the configuration names, each made once and used until it names another."""

from __future__ import annotations

from typing import Any

from control.live_config import LiveConfig
from voicebackend.frameworks.parts import part_of
from voicebackend.remote import PREFIX, resolve


class PartTable:
    """Finds parts by their field in the configuration; ``remote`` calls those of an embedding process."""

    def __init__(self, live: LiveConfig, remote: Any = None) -> None:
        self._live, self._remote = live, remote
        self._made: dict[str, tuple[Any, Any]] = {}

    def find(self, field: str) -> Any:
        """Return the part of this field, or None.

        Raises:
            InvalidConfig: what the field names is not there, or is of the wrong kind.

        """
        target = getattr(self._live.current, field)
        if target is None:
            return None
        known, part = self._made.get(field, (None, None))
        if known is not target:
            is_remote = isinstance(target, str) and target.startswith(PREFIX)
            part = resolve(target, field=field, remote=self._remote) if is_remote else part_of(field, target)
            self._made[field] = (target, part)
        return part
