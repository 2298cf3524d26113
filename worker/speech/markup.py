"""Markup: tags, markdown and code, of which only the words are spoken."""

from __future__ import annotations

import re

from worker.speech.rule import Rule, rule

_TAGS = re.compile(r"<[^<>]*>")
_MARKS = re.compile(r"[*_`~\[\]]+")


def label(match: re.Match[str]) -> str | None:
    """Return the text of a link as it is read."""
    return " ".join(_MARKS.sub(" ", _TAGS.sub(" ", match["label"])).split())


_LINE = r"(?:(?<=\n)|(?<![\s\S]))[ \t]{0,8}"
"""A pattern: the beginning of a line."""
RULES: tuple[Rule, ...] = (
    rule(r"```[\s\S]*?(?:```|\Z)", ""),
    rule(r"<!--[\s\S]{0,2000}?-->", ""),
    rule(r"</?[A-Za-z!?][^<>]*>", ""),
    rule(r"!?\[(?P<label>[^\]\[]{0,200})\]\([^)\s]{0,2000}(?:\s[^)]{0,200})?\)", label),
    rule(r"\[\^?[0-9]{1,3}\](?![(:])", ""),  # a footnote
    rule(_LINE + r"(?:#{1,6}|>+|[-*+•‣◦])(?=\s)", ""),
    rule(r"(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?", ""),  # under a table's head
    rule(r"(?:-{3,}|\*{3,}|_{3,}|={3,})", ""),
    rule(r"(?<=[0-9] )\*(?= [0-9])", "times"),
    rule(r"(?<=\S )\*(?=[\s.,]|$)", "star"),  # a key of a telephone
    rule(r"(?<=\S )#(?=[\s.,]|$)", "pound"),
    rule(r"[*_`]+|~~", ""),
)
