"""How carriers' webhooks are kept within their second."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from control.http.webhook_time import MAX_AGAIN, address_again, times_asked


@pytest.mark.parametrize(
    ("url", "again"),
    [
        ("https://x/call", "https://x/call?again=3"),
        ("https://x/call?again=2", "https://x/call?again=3"),
        ("https://x/call?attempt=1&again=2&b=%2F+c", "https://x/call?attempt=1&b=%2F+c&again=3"),
        ("https://x/call?against=2", "https://x/call?against=2&again=3"),
    ],
)
def test_an_address_counts_how_often_it_was_asked(url: str, again: str) -> None:
    """All else stays to the letter: carriers sign it."""
    assert address_again(url, 3) == again


@pytest.mark.parametrize(
    ("query", "times"),
    [("", 0), ("?again=", 0), ("?again=2", 2), ("?again=-1", 0), ("?again=x", 0), ("?again=٣", 0), ("?again=99", 12)],
)
def test_what_is_no_count_is_none(query: str, times: int) -> None:
    """And none is more than it may be."""
    assert times_asked(make_mocked_request("POST", f"/call{query}")) == times
    assert times <= MAX_AGAIN
