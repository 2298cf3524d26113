"""Abbreviations: ``Dr.``, ``e.g.``, ``approx.``, ``No. 5``, ``w/``."""

from __future__ import annotations

import re

from worker.speech.rule import Rule, alternatives, ended, rule, table

_ANYWHERE = table("""
    e.g. = for example; i.e. = that is; etc. = et cetera; vs. = versus; approx. = approximately
    dept. = department; Dept. = Department; est. = estimated; Est. = Established; incl. = including
    excl. = excluding; Inc. = Incorporated; Ltd. = Limited; Corp. = Corporation; Jr. = Junior; Sr. = Senior
    Ph.D. = PhD; a.k.a. = also known as; aka = also known as; tel. = telephone; Tel. = Telephone; avg. = average
    max. = maximum; min. = minimum; misc. = miscellaneous; appt. = appointment; Apt. = Apartment; Ave. = Avenue
    Blvd. = Boulevard; Rd. = Road; w/o = without; w/ = with; c/o = care of; asap = as soon as possible
    ASAP = as soon as possible; FYI = for your information; BTW = by the way; ca. = about; cf. = compare
    n/a = not applicable; N/A = not applicable; U.S. = U.S; U.K. = U.K; E.U. = E.U; Mt. = Mount; Ft. = Fort
""")
_TITLES = table("""
    Dr. = Doctor; Mr. = Mister; Mrs. = Missus; Ms. = Ms; Prof. = Professor; Gen. = General; Sen. = Senator
    Rep. = Representative; Gov. = Governor; Rev. = Reverend; Capt. = Captain; Sgt. = Sergeant; Lt. = Lieutenant
    Dr = Doctor; Mr = Mister; Mrs = Missus; Prof = Professor
""")
"""Before a name."""
_NUMBERED = table("""
    No. = number; no. = number; Nr. = number; p. = page; pp. = pages; Fig. = Figure; fig. = figure
    vol. = volume; Vol. = Volume; ch. = chapter; Ch. = Chapter; ext. = extension; Ext. = Extension
    Sec. = Section; sec. = section; § = section; apt. = apartment
""")
"""Before a number."""


def _anywhere(match: re.Match[str]) -> str:
    return ended(match, _ANYWHERE[match.group()])


def _saint(match: re.Match[str]) -> str:
    """Read ``St. Mary`` as a saint, ``Main St.`` as a street."""
    named = re.search(r"\w\s$", match.string[: match.start()]) is not None
    after = re.match(r"\s[A-Z]", match.string[match.end() :]) is not None
    previous = match.string[: match.start()].split()
    street = named and bool(previous) and previous[-1][:1].isupper()
    return ended(match, "Saint" if after and not street else "Street")


_BEFORE = r"(?<![A-Za-z0-9_.@/])"
RULES: tuple[Rule, ...] = (
    rule(rf"{_BEFORE}(?:{alternatives(_TITLES)})(?=\s[A-Z])", lambda match: _TITLES[match.group()]),
    rule(rf"{_BEFORE}(?:{alternatives(_NUMBERED)})(?=\s?[0-9])", lambda match: _NUMBERED[match.group()] + " "),
    rule(rf"{_BEFORE}St\.(?![A-Za-z0-9_])", _saint),
    rule(rf"{_BEFORE}(?:{alternatives(_ANYWHERE)})(?![A-Za-z0-9_/])", _anywhere),
)
