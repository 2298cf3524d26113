"""What tells who somebody is, found as it is written and as it is spoken; the figures are of a set of our own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import spacy

from control.redaction.__main__ import main
from control.redaction.measure import measure
from control.redaction.recogniser import Recogniser
from control.redaction.redactor import MAX_CHARACTERS, Redactor, TooMuch
from control.redaction.span import Label, Span, merged, replaced
from control.redaction.written_form import numbers_written
from voicebackend.errors import InvalidConfig

FOLDER = Path(__file__).parents[4] / "tests" / "data" / "redaction"
CALLS = FOLDER / "calls.txt"


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """Give what recognises it; loaded once."""
    return Recogniser()


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("four one one one", "4111"),
        ("twenty five, or forty-two", "25, or 42"),
        ("double oh seven", "007"),
        ("triple five, one", "5551"),
        ("eight hundred five five five", "800555"),
        ("fifty one hundred, um, oh five", "510005"),
        ("plus one two", "+12"),
        ("ten dot zero dot one", "10.0.1"),
        ("d e eight nine", "DE89"),
        ("it is a one time thing", "it is a 1 time thing"),
        ("o h dear", "o h dear"),
        ("4111 one one", "411111"),
        ("", ""),
        ("Straße neunzehn", "Straße neunzehn"),
    ],
)
def test_numbers_are_written_as_they_are_said(said: str, written: str) -> None:
    """Each character knows where it was said."""
    found = numbers_written(said)
    assert found.text == written
    assert len(found.origin) == len(written)
    assert all(0 <= start < end <= len(said) for start, end in found.origin)


def test_spans_that_overlap_are_one_and_the_more_telling_label_counts() -> None:
    """They come in order."""
    spans = [Span(8, 12, Label.NUMBER), Span(0, 4, Label.PHONE), Span(2, 6, Label.CARD), Span(9, 11, Label.IP)]
    assert merged(spans) == [Span(0, 6, Label.CARD), Span(8, 12, Label.IP)]
    assert replaced("0123456789ABCD", merged(spans)) == "[card]67[ip]CD"


@pytest.mark.parametrize(("file", "recall"), [("calls.txt", 0.97), ("hesitant.txt", 0.85)])
def test_nearly_all_that_is_marked_is_found_and_little_else(recogniser: Recogniser, file: str, recall: float) -> None:
    """The sets are ours and small: the limits keep what is found from getting less."""
    figures = measure((FOLDER / file).read_text(encoding="utf-8").splitlines(), recogniser)
    assert len(figures.marked) >= 7
    assert figures.marked.total() >= 25
    assert figures.recall >= recall, figures.missed
    assert figures.precision >= 0.97, figures.wrong


def test_the_figures_are_had_by_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With what was missed."""
    monkeypatch.setattr("sys.argv", ["redaction", str(CALLS)])
    assert main() == 0
    assert "recall " in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["redaction", "nowhere.txt"])
    assert main() == 2


def test_a_number_that_goes_on_in_the_next_sentence_is_found(recogniser: Recogniser) -> None:
    """In both."""
    redactor = Redactor(recogniser)
    pieces = ["My card is four one one one one one one one,", "one one one one one one one one. Thanks."]
    assert redactor.texts(pieces) == ["My card is [card]", "[card]. Thanks."]
    assert redactor.found[Label.CARD] == 1


def test_what_lies_between_two_looks_is_found(recogniser: Recogniser) -> None:
    """A long text is looked at piece by piece."""
    for filling in range(3_985, 4_005, 4):
        text = (
            "well and so ".ljust(12) * (filling // 12)
            + " " * (filling % 12)
            + "ann@example.com and so on"
            + " yes" * 150
        )
        (clean,) = Redactor(recogniser).texts([text])
        assert "[email] and so on" in clean
        assert "ann" not in clean


@pytest.mark.parametrize("text", ["1 " * 2000, "a at " * 800, "a.a" * 1300, "dot " * 1000, "one " * 1000, "@" * 4000])
def test_no_text_takes_long(recogniser: Recogniser, text: str) -> None:
    """Even one that was made for that."""
    began = time.process_time()
    Redactor(recogniser).texts([text[:4000]])
    assert time.process_time() - began < 40


def test_what_is_too_long_or_too_slow_is_not_redacted_in_part(recogniser: Recogniser) -> None:
    """It fails: nothing of it may be kept."""
    with pytest.raises(TooMuch, match="long"):
        Redactor(recogniser).texts(["x" * (MAX_CHARACTERS // 2)] * 3)
    with pytest.raises(TooMuch, match="slow"):
        Redactor(recogniser, timeout_s=-1).texts(["hello"])


def test_names_are_found_where_there_is_a_pipeline_that_knows_them(tmp_path: Path) -> None:
    """Any of spaCy's, by its folder or package."""
    pipeline = spacy.blank("en")
    ruler: Any = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Margaret Wilson"}, {"label": "GPE", "pattern": "Paris"}])
    pipeline.to_disk(tmp_path / "names")
    recogniser = Recogniser(names=str(tmp_path / "names"))
    assert Redactor(recogniser).texts(["This is Margaret Wilson in Paris."]) == ["This is [name] in Paris."]
    with pytest.raises(InvalidConfig, match="spacy download") as caught:
        Recogniser(names="no_such_pipeline")
    assert caught.value.details["field"] == "redaction.names"
