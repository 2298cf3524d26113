"""Addresses of the web: ``https://example.com/a``, ``ann@example.org``, ``#topic``, ``report.pdf``."""

from __future__ import annotations

import re

from worker.speech.numbers import digits
from worker.speech.rule import Rule, rule

_MARKS = {".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", "+": "plus", ":": "colon"}
_SUFFIXES = (
    "com|org|net|edu|gov|io|dev|ai|app|co|uk|de|eu|fr|us|ca|au|nl|info|biz|me|tv|shop|online|cloud"
    "|js|py|ts|pdf|txt|csv|html|json|yaml|zip|docx?|xlsx?|png|jpe?g|mp[34]|exe"
)
_ENDS = {"uk": "U.K", "us": "U.S", "io": "I.O", "ai": "A.I", "eu": "E.U", "js": "J.S", "tv": "T.V"}
"""Ends of names that are spelled."""
_MAX_STEPS = 3
"""Parts of a path that are read; nobody remembers more."""


def address(text: str) -> str:
    """Return an address in words: ``ann dot smith at example dot com``."""
    return " ".join(_part(part) for part in re.findall(r"\.[A-Za-z]+|[^\W\d_]+|[0-9]+|[./@+_:-]", text))


def _part(part: str) -> str:
    if part.startswith(".") and len(part) > 1:
        return f"dot {_ENDS.get(part[1:].lower(), part[1:])}"
    return _MARKS.get(part) or digits(part) or part


def _url(match: re.Match[str]) -> str:
    steps = [step for step in re.split(r"[?#]", match["path"] or "")[0].split("/") if step]
    return address("/".join([match["host"], *steps[:_MAX_STEPS]])) + _trailing(match["path"] or "")


def _trailing(path: str) -> str:
    """Return the mark that ends a sentence rather than the address."""
    found = re.search(r"[.,;:!?]+$", path)
    return found.group()[0] if found else ""


_HOST = r"(?P<host>[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}(?::[0-9]{1,5})?)"
_PATH = r"(?P<path>/[^\s<>\"”’)\]]*)?"
RULES: tuple[Rule, ...] = (
    rule(rf"<?(?i:https?|ftp|wss?)://(?:www\.)?{_HOST}{_PATH}>?", _url),
    rule(
        r"(?<![\w.@+-])(?:mailto:)?(?P<mail>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})",
        lambda m: address(m["mail"]),
    ),
    rule(rf"(?<![\w.@])(?:www\.)(?P<host>[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}}){_PATH}", _url),
    rule(
        rf"(?<![\w.@])(?P<host>[A-Za-z0-9_-]{{1,63}}(?:\.[A-Za-z0-9_-]{{1,63}}){{0,6}}\.(?:{_SUFFIXES}))(?![\w@-]|\.\w){_PATH}",
        _url,
    ),
    rule(r"(?<![\w@])@(?P<name>[A-Za-z_][\w-]{1,40})", lambda match: f"at {address(match['name'])}"),
    rule(r"(?<![\w#])#(?P<name>[A-Za-z]\w{1,60})", lambda match: f"hashtag {address(match['name'])}"),
)
