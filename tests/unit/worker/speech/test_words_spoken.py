"""Markup, addresses, abbreviations, codes and symbols are read as a person would."""

from __future__ import annotations

import pytest
from spoken_form import spoken_form


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**Bold** and _fine_, `code`", "Bold and fine, code"),
        ("**very bold** words", "very bold words"),
        ("# Title", "Title"),
        ("- first", "first"),
        ("- first\n- second", "first second"),
        ("* first", "first"),
        ("1. Milk", "one. Milk"),
        ("> quoted", "quoted"),
        ("[our page](https://example.com/a?b=1)", "our page"),
        ("![a cat](cat.png) here", "a cat here"),
        ("| Monday | open |", "Monday, open"),
        ("|---|:--:|", ""),
        ("---", ""),
        ("```python\nx = 1\n``` done", "done"),
        ("<speak>Hello <break time='1s'/> there.</speak>", "Hello there."),
        ("<b>Hi</b> <!-- not this -->you", "Hi you"),
        ("snake_case", "snake case"),
        ("~~gone~~ here", "gone here"),
        ("see [1] and[^2]", "see and"),
        ("5 < 6", "five less than six"),
    ],
)
def test_markup(written: str, spoken: str) -> None:
    """Only the words of markdown, HTML and SSML are spoken."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("https://www.example.com/pricing?x=1#top", "example dot com slash pricing"),
        ("http://example.org.", "example dot org."),
        ("www.example.com", "example dot com"),
        ("Go to example.com!", "Go to example dot com!"),
        ("example.co.uk", "example dot co dot U.K"),
        ("my-site.io/a_b", "my dash site dot I.O slash a underscore b"),
        ("<https://example.com>", "example dot com"),
        ("ann@example.com", "ann at example dot com"),
        ("john.smith+tag@mail.example.org", "john dot smith plus tag at mail dot example dot org"),
        ("joe99@example.com,", "joe nine nine at example dot com,"),
        ("@anna", "at anna"),
        ("#sale", "hashtag sale"),
        ("report.pdf", "report dot pdf"),
        ("Node.js", "Node dot J.S"),
        ("http://x.com/contact-us", "x dot com slash contact dash us"),
    ],
)
def test_addresses(written: str, spoken: str) -> None:
    """So that one could type them."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Dr. Smith", "Doctor Smith"),
        ("Mr. and Mrs. Jones", "Mr. and Missus Jones"),
        ("Prof. Day", "Professor Day"),
        ("e.g. this", "for example this"),
        ("i.e., that", "that is, that"),
        ("and so on, etc.", "and so on, et cetera."),
        ("approx. 5", "approximately five"),
        ("No. 5", "number five"),
        ("No. I will not", "No. I will not"),
        ("cats vs. dogs", "cats versus dogs"),
        ("12 Main St.", "twelve Main Street."),
        ("St. Mary", "Saint Mary"),
        ("w/ milk, w/o sugar", "with milk, without sugar"),
        ("p. 5", "page five"),
        ("the U.S. army", "the U.S army"),
        ("N/A", "not applicable"),
        ("Acme Inc.", "Acme Incorporated."),
    ],
)
def test_abbreviations(written: str, spoken: str) -> None:
    """In full; the point that ends a sentence stays."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("AB-1234", "A.B, one two three four"),
        ("order #4521", "order number four five two one"),
        ("#1", "number one"),
        ("it ends in 4821.", "it ends in four eight two one."),
        ("the code is 739 204", "the code is seven three nine, two zero four"),
        ("your PIN: 042", "your PIN: zero four two"),
        ("flight BA 2490", "flight BA two four nine zero"),
        ("room 1204", "room twelve oh four"),
        ("221B Baker Street", "two two one B Baker Street"),
        ("12345678", "one two three four, five six seven eight"),
        ("API", "A.P.I"),
        ("the API's", "the A.P.I's"),
        ("two PDFs", "two P.D.F's"),
        ("HTML", "H.T.M.L"),
        ("COVID-19", "Covid nineteen"),
        ("NASA", "NASA"),
        ("STOP", "STOP"),
        ("MP3", "M.P three"),
        ("Q3", "Q three"),
        ("A4", "A. four"),
        ("1Z999AA1", "one Z, nine nine nine A.A one"),
        ("gate B12", "gate B twelve"),
        ("R&D", "R and D"),
        ("v2.0", "version two point zero"),
        ("1.2.3", "one point two point three"),
        ("192.168.0.1", "one nine two dot one six eight dot zero dot one"),
        ("PIN", "PIN"),
    ],
)
def test_codes(written: str, spoken: str) -> None:
    """Letters by their names, digits one by one; acronyms that are words stay words."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Hello 😀!", "Hello!"),
        ("👍🏽 Great 🇩🇪", "Great"),
        ("👨‍👩‍👧", ""),
        ("1️⃣ one", "one one"),
        ("salt & pepper", "salt and pepper"),
        ("1 + 1 = 2", "one plus one equals two"),
        ("Well - maybe", "Well, maybe"),
        ("Well—maybe", "Well, maybe"),
        ("well-known", "well-known"),
        ("yes/no", "yes no"),
        ("A → B", "A to B"),
        ("Press # to repeat, * to end.", "Press pound to repeat, star to end."),
        ("2 * 3", "two times three"),
        ("C++ and C#", "C plus plus and C sharp"),
        ("Wait…", "Wait..."),
        ("Acme™ tools®", "Acme tools"),
        ("it’s “fine”", 'it\'s "fine"'),
        ("a\x00b\u200bc\ud800", "abc"),
        ("你好，我有$20元。", "你好，我有 twenty dollars 元。"),
        ("日本語 3km", "日本語 three kilometers"),
        ("naïve café", "naïve café"),
        ("مرحبا بالعالم", "مرحبا بالعالم"),
        ("नमस्ते", "नमस्ते"),
        ("...", ""),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_symbols_and_scripts(written: str, spoken: str) -> None:
    """Emoji and control characters are silent; other scripts stay as they are."""
    assert spoken_form(written) == spoken
