"""The package's README tells the whole protocol: what code knows stands there too."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import pytest

import voicebackend
from voicebackend.events import CloseCode, Message
from voicebackend.limits import Limits
from voicebackend.settings import Deployment
from voicebackend.streams import Kind

README = Path(voicebackend.__file__).with_name("README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", Kind, ids=str)
def test_every_kind_of_frame_has_a_row(kind: Kind) -> None:
    """With its number and name."""
    assert f"| {int(kind)} | `{kind.name}` |" in README


@pytest.mark.parametrize("code", CloseCode, ids=str)
def test_every_close_code_has_a_row(code: CloseCode) -> None:
    """With its number."""
    assert f"| {int(code)} |" in README


@pytest.mark.parametrize("message", Message.__subclasses__(), ids=lambda message: message.__name__)
def test_every_message_stands_in_a_table_with_its_fields(message: type[Message]) -> None:
    """By its type; each field is named in the same section."""
    (name,) = get_args(message.model_fields["type"].annotation)
    assert f"`{name}`" in README
    assert all(f"`{field}`" in README for field in message.model_fields)


def test_every_variable_of_a_deployment_is_explained() -> None:
    """Some stand in one row, shortened by the prefix they share."""
    for variable in Deployment().to_env():
        assert variable in README or variable.replace("VOICEBACKEND_", "…_") in README
    limits = len(dataclasses.fields(Limits))
    assert len(Deployment().to_env()) == len(dataclasses.fields(Deployment)) - 1 + limits
