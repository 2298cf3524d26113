"""The search for canaries finds them however they were written down."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from canaries import hits

WORD = 'pangolinÿ-of-the-"night"'
FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "json": lambda text: json.dumps({"note": text}).encode(),
    "json in json": lambda text: json.dumps(json.dumps({"note": text})).encode(),
    "url": lambda text: quote(text).encode(),
    "monitored": lambda text: repr(text.encode()).encode(),
    "hex": lambda text: binascii.hexlify(text.encode()),
    "json in base64": lambda text: base64.b64encode(json.dumps({"note": text}).encode()),
    "url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", ["", "a", "bc", "def"])
def test_a_word_is_found_in_every_form(form: str, before: str) -> None:
    """Wherever it begins within what it stands in."""
    written = b"noise " + FORMS[form](f"{before}{WORD} and more") + b" noise"
    assert hits([WORD], {"place": written})
    assert hits([WORD], {"place": FORMS[form](f"{before}pangolin, and nothing more of it")}) == []
