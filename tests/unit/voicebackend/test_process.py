"""What every process does as it starts: its log level, checked before anything is logged; its garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from voicebackend.errors import InvalidConfig
from voicebackend.process import LOG_LEVEL, log_level, settle


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


@pytest.fixture
def collector() -> Iterator[None]:
    """Leave the garbage collector as it was."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collector")
def test_what_is_loaded_is_left_alone_by_the_garbage_collector() -> None:
    """Only what comes later is looked at, and not every few hundred objects."""
    settle()
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[0] > 700
