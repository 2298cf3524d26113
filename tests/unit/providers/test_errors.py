"""Foreign exceptions at the seam."""

from __future__ import annotations

import pytest

from providers.errors import map_exceptions
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, RateLimitExceeded

TABLE = {TimeoutError: ConnectionTimeout, OSError: ConnectionFailed}


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [(TimeoutError("slow"), ConnectionTimeout), (ConnectionResetError("gone"), ConnectionFailed)],
)
def test_the_first_entry_that_fits_wins(foreign: Exception, ours: type[Exception]) -> None:
    """A timeout is an OSError too; the order of the table decides."""
    with pytest.raises(ours) as caught, map_exceptions(TABLE, op="connect"):
        raise foreign
    assert caught.value.__cause__ is foreign


def test_a_vendors_words_are_not_repeated() -> None:
    """They may hold a key; only the type is told."""
    with pytest.raises(ConnectionFailed) as caught, map_exceptions(TABLE, op="connect"):
        raise OSError("key sk-123 refused")
    assert "sk-123" not in str(caught.value)
    assert caught.value.details == {"cause": "OSError"}


def test_our_own_errors_and_unknown_ones_pass() -> None:
    """Nothing is wrapped twice, and no bug is hidden."""
    with pytest.raises(RateLimitExceeded), map_exceptions({Exception: ConnectionFailed}, op="x"):
        raise RateLimitExceeded("vendor")
    with pytest.raises(KeyError), map_exceptions(TABLE, op="x"):
        raise KeyError
