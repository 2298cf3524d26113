"""Telephone numbers are one name however they are written; what is a user id stays one."""

from __future__ import annotations

import pytest
from task_harness import a_record

from control.records.names import e164, meant, names_of
from voicebackend.errors import InvalidConfig


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+12025550111", "", "+12025550111"),
        (" +1 (202) 555-0111 ", "", "+12025550111"),
        ("tel:+1.202.555.0111", "", "+12025550111"),
        ("sip:+12025550111@carrier.example;user=phone", "", "+12025550111"),
        ("sip:2025550111@carrier.example", "US", "+12025550111"),
        ("030 901820", "DE", "+4930901820"),
        ("0049 30 901820", "DE", "+4930901820"),
        ("2025550111", "", ""),
        ("+1", "", ""),
        ("+1202555011100000000", "", ""),
        ("ada+12025550111", "US", ""),
        ("+49 a", "DE", ""),
        ("anonymous", "US", ""),
        ("", "US", ""),
        ("+" * 4000, "US", ""),
    ],
)
def test_a_number_is_read_as_it_would_be_dialled(text: str, region: str, number: str) -> None:
    """Without a region, what has no country is none."""
    assert e164(text, region) == number


def test_who_is_meant_is_a_number_only_where_that_is_plain() -> None:
    """Two user ids of digits are never taken for one number."""
    assert meant("2025550111", None) == "2025550111"
    assert meant("2025550111", "US") == meant("+1 202 555 0111", None) == "+12025550111"
    with pytest.raises(InvalidConfig):
        meant("ada", "US")


def test_a_session_is_about_its_user_and_its_numbers() -> None:
    """As they were told, and in E.164."""
    said = {"caller": "(202) 555-0111", "number": "+12025550111", "headers": {}}
    record = a_record(user_id="ada", metadata={"said": said, "to": "+1 202 555 0122"})
    assert names_of(record) == ("ada", "(202) 555-0111", "+12025550111", "+1 202 555 0122", "+12025550122")
    assert names_of(a_record(user_id="ada", metadata={"said": "nothing", "to": 7})) == ("ada",)
