"""Rates as they are written: what is read is what was meant, in the child processes that are told of it too."""

from __future__ import annotations

import re

import pytest

from voicebackend.limits import REQUEST_RATE, Rate


@pytest.mark.parametrize(
    "text",
    ["20000/s", "999999999/s:999999999", "10/s:40", "30/m", "1/m:3", "0.000000001/m", "0.1/s", "123456.789/m", "7/m"],
)
def test_a_rate_is_written_as_it_can_be_read(text: str) -> None:
    """However large or small: without an exponent."""
    rate = Rate.parse(text)
    again = Rate.parse(str(rate))
    assert again.per_s == pytest.approx(rate.per_s, rel=1e-6)
    assert again.burst == rate.burst


def test_the_default_and_no_limit_are_written_plainly() -> None:
    """As operators would write them."""
    assert str(REQUEST_RATE) == "200/s:2000"
    assert str(Rate.parse("30/m")) == "30/m:1"
    assert Rate.parse(str(Rate())) == Rate()


@pytest.mark.parametrize("text", ["1e6/s", "0/s", "-1/s", "10", "10/h", "10/s:", "nan/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """With ValueError."""
    with pytest.raises(ValueError, match=re.escape(text)):
        Rate.parse(text)
