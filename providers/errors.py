"""Foreign exceptions become ours at this seam, and nowhere further in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from voicebackend.errors import VoiceBackendError


@contextmanager
def map_exceptions(table: Mapping[type[Exception], type[VoiceBackendError]], *, op: str) -> Iterator[None]:
    """Raise our error in place of a foreign one; the first entry that fits wins, ours pass through unchanged.

    The message is our class's own: a vendor's words may carry a key or what a caller said. The foreign type stands in
    ``details["cause"]``, the exception itself in ``__cause__``.
    """
    try:
        yield
    except VoiceBackendError:
        raise
    except tuple(table) as error:
        ours = next(kind for foreign, kind in table.items() if isinstance(error, foreign))
        raise ours(op, details={"cause": type(error).__name__}) from error
