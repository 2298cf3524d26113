"""The hooks that the configuration names, as objects: each made once and used until the configuration names another."""

from __future__ import annotations

from typing import Any

from control.live_config import LiveConfig
from voicebackend.hooks import auth_hook_of
from voicebackend.remote import resolve

FIELDS = ("auth_hook", "rate_limiter", "data_retention_hook", "telephony_hook")
"""The fields of the configuration that name hooks of control's."""


class HookTable:
    """Finds hooks by their field in the configuration; ``remote`` calls those of an embedding process."""

    def __init__(self, live: LiveConfig, remote: Any = None) -> None:
        self._live, self._remote = live, remote
        self._made: dict[str, tuple[Any, Any]] = {}

    def check(self) -> None:
        """Make every hook that is configured; raises InvalidConfig if what a field names is not there."""
        for field in FIELDS:
            self.find(field)

    def find(self, field: str) -> Any:
        """Return the hook of this field, or None.

        Raises:
            InvalidConfig: what the field names is not there.

        """
        target = getattr(self._live.current, field)
        if target is None:
            return None
        known, hook = self._made.get(field, (None, None))
        if known is not target:
            hook = resolve(target, field=field, remote=self._remote)
            hook = auth_hook_of(hook) if field == "auth_hook" else hook
            self._made[field] = (target, hook)
        return hook
