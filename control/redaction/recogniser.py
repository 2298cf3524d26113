"""What recognises it: presidio's recognisers, and a spaCy pipeline for names where the deployment has one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from control.redaction.span import Label, Span
from voicebackend.errors import InvalidConfig

PACKAGE = "presidio-analyzer"
INSTALL = "pip install 'voicebackend[redaction]'"
REGIONS = ("US", "CA", "GB", "IE", "AU", "DE", "FR", "ES", "IT", "NL", "IN", "BR")
"""Where numbers are looked for that are written without their country's code."""
_LABELS = {
    "EMAIL_ADDRESS": Label.EMAIL,
    "IBAN_CODE": Label.IBAN,
    "CREDIT_CARD": Label.CARD,
    "US_SSN": Label.SSN,
    "IP_ADDRESS": Label.IP,
    "PHONE_NUMBER": Label.PHONE,
    "PERSON": Label.NAME,
    "LONG_NUMBER": Label.NUMBER,
}
_CERTAIN = 0.3
"""Of 1; presidio gives less to what only has the length of something."""
_LONG = r"(?<![\d.-])(?!\d{4}-\d\d-\d\d)\+?\d(?:[ .-]?\d){8,}(?!\d)"
"""Nine digits or more, but for dates."""
_LANGUAGE = "en"


def check(names: str | None) -> None:
    """Raise InvalidConfig if texts cannot be redacted here; loads nothing."""
    if find_spec("presidio_analyzer") is None:
        raise InvalidConfig("redaction", f"redacting needs {PACKAGE}: {INSTALL}")
    if names is not None and not (Path(names).is_dir() or find_spec(names)):
        message = f"redaction.names: there is no spaCy pipeline {names!r}: python -m spacy download {names}"
        raise InvalidConfig("redaction", message, details={"field": "redaction.names"})


class Recogniser:
    """Finds what tells who somebody is in written text. Loading takes seconds; for one thread at a time."""

    def __init__(self, *, names: str | None = None, regions: Sequence[str] = REGIONS) -> None:
        """``names`` is a spaCy pipeline that knows persons; raises InvalidConfig if it or the package is not there."""
        check(names)
        logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
        self._recognisers = _recognisers(regions)
        self._spacy: Any = import_module("spacy").load(names) if names else None

    @property
    def name(self) -> str:
        """What finds it, with its version."""
        return f"{PACKAGE} {version(PACKAGE)}"

    def find(self, text: str) -> list[Span]:
        """Return what was found, in any order; spans may overlap."""
        found: list[Span] = []
        for recogniser in self._recognisers:
            results = recogniser.analyze(text, recogniser.supported_entities, None)
            found += [Span(one.start, one.end, _LABELS[one.entity_type]) for one in results if one.score >= _CERTAIN]
        return found + (self._persons(text) if self._spacy is not None else [])

    def _persons(self, text: str) -> list[Span]:
        entities = self._spacy(text).ents
        return [Span(one.start_char, one.end_char, Label.NAME) for one in entities if one.label_ == "PERSON"]


def _recognisers(regions: Sequence[str]) -> list[Any]:
    presidio: Any = import_module("presidio_analyzer")
    known: Any = import_module("presidio_analyzer.predefined_recognizers")
    patterns = [presidio.Pattern("long number", _LONG, 0.4)]
    return [
        _emails(known),
        known.IbanRecognizer(supported_language=_LANGUAGE),
        known.CreditCardRecognizer(supported_language=_LANGUAGE),
        known.UsSsnRecognizer(supported_language=_LANGUAGE),
        known.IpRecognizer(supported_language=_LANGUAGE),
        known.PhoneRecognizer(supported_language=_LANGUAGE, supported_regions=tuple(regions)),
        presidio.PatternRecognizer("LONG_NUMBER", patterns=patterns, supported_language=_LANGUAGE),
    ]


def _emails(known: Any) -> Any:
    """Return presidio's recogniser of addresses; it asks the list of domains that was installed, never the network."""
    domains: Any = import_module("tldextract").TLDExtract(suffix_list_urls=(), cache_dir=None)

    class Emails(known.EmailRecognizer):  # type: ignore[misc]  # an extra's class, known when it is loaded
        def validate_result(self, pattern_text: str) -> bool:
            return bool(domains(pattern_text).fqdn)

    return Emails(supported_language=_LANGUAGE)
