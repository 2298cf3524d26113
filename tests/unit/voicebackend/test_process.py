"""The log level of every process: one variable, checked before anything is logged."""

from __future__ import annotations

import pytest

from voicebackend.errors import InvalidConfig
from voicebackend.process import LOG_LEVEL, log_level


@pytest.mark.parametrize(
    ("environ", "level"), [({}, "INFO"), ({LOG_LEVEL: "warning"}, "WARNING"), ({LOG_LEVEL: "DEBUG"}, "DEBUG")]
)
def test_the_level_is_the_environments_in_any_case(environ: dict[str, str], level: str) -> None:
    """INFO where it says nothing."""
    assert log_level(environ) == level


def test_a_level_that_is_none_is_named() -> None:
    """The variable, not what it holds."""
    with pytest.raises(InvalidConfig) as caught:
        log_level({LOG_LEVEL: "loud"})
    assert caught.value.details == {"field": LOG_LEVEL}
