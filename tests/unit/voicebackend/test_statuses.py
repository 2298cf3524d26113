"""What Retry-After asks for, whatever it holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend.statuses import wait_s

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Thu", "Mon", ""]),
    st.integers(-1, 40),
    st.sampled_from(["Jan", "Dec", "Foo"]),
    st.one_of(st.integers(-1, 10_000), st.integers()),
    st.integers(-1, 99),
    st.integers(-1, 99),
    st.integers(-1, 99),
    st.one_of(st.sampled_from(["GMT", "-0000", "", "EST"]), st.integers().map("{:+05d}".format)),
)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("soon", None),
        ("nan", None),
        ("1.5", 1.5),
        ("-1", 0),
        ("inf", 3600),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 30),
        ("Thu, 01 Jan 2026 00:00:30", 30),
        ("Thu, 01 Jan 2026 01:00:30 +0100", 30),
        ("Thu, 01 Jan 2026 00:00:30 +9999999999999", None),
    ],
)
def test_a_wait_is_told_in_seconds(header: str | None, seconds: float | None) -> None:
    """By number or by date, which is UTC if it names no zone; what is neither says nothing."""
    assert wait_s(header, now=NOW) == seconds


@given(st.one_of(st.text(), DATES))
def test_whatever_a_vendor_sends_is_a_wait_or_nothing(header: str) -> None:
    """Never an error of another kind, for one is being told already."""
    found = wait_s(header, now=NOW)
    assert found is None or 0 <= found <= 3600
