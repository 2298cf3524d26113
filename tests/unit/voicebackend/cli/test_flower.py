"""Which passwords Flower may be started with, and how it is started."""

from __future__ import annotations

import pytest

from voicebackend.cli import flower
from voicebackend.errors import InvalidConfig
from voicebackend.flower_auth import FLOWER_BASIC_AUTH


@pytest.mark.parametrize(
    "accounts", ["", "operator", "operator:", ":correct-horse", "operator:short", "a:correct-horse-battery,b:short"]
)
def test_passwords_that_are_none_are_refused(accounts: str) -> None:
    """By the variable's name; what was given is not shown."""
    with pytest.raises(InvalidConfig) as caught:
        flower.flower_command("127.0.0.1", 5555, {FLOWER_BASIC_AUTH: accounts})
    assert FLOWER_BASIC_AUTH in caught.value.message
    assert "horse" not in str(caught.value)
    assert caught.value.details == {"field": FLOWER_BASIC_AUTH}


def test_flower_runs_on_this_deployments_app() -> None:
    """Passwords stay in the environment, where no list of processes shows them."""
    given = {FLOWER_BASIC_AUTH: "operator:correct-horse-battery,second:staple-correct-horse"}
    command = flower.flower_command("127.0.0.1", 5556, given)
    assert command[1:6] == ["-m", "celery", "-A", "control", "flower"]
    assert {"--address=127.0.0.1", "--port=5556"} < set(command)
    assert not [part for part in command if "horse" in part]


def test_a_missing_flower_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra's name."""
    monkeypatch.setattr(flower, "find_spec", lambda name: None)
    with pytest.raises(InvalidConfig, match=r'pip install "voicebackend\[flower\]"'):
        flower.flower_command("127.0.0.1", 5555, {FLOWER_BASIC_AUTH: "operator:correct-horse-battery"})
