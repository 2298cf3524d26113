"""Vendors' JSON: text that is cut within a character."""

from __future__ import annotations

import json

import pytest

from providers.remote.vendor_json import read_json


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\ud83d"', "?"),
        (r'{"a\uDE00": ["x\uD83Dy"]}', {"a?": ["x?y"]}),
        (r'"\\ud83d"', r"\ud83d"),
        ("[1e400, 5, null]", [float("inf"), 5, None]),
    ],
)
def test_half_a_character_becomes_a_question_mark(written: str, meant: object) -> None:
    """And all else is as it was."""
    found = read_json(written)
    assert found == meant
    json.dumps(found, ensure_ascii=False).encode()


@pytest.mark.parametrize("written", ["", "{", "\\ud83d"])
def test_what_is_no_json_is_refused(written: str) -> None:
    """As ever."""
    with pytest.raises(ValueError, match=r"char \d"):
        read_json(written)
