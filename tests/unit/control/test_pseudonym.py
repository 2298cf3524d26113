"""What traces call a user: one pseudonym over all of their sessions, which names nobody."""

from __future__ import annotations

import io
import re

import pytest
from fakeredis import FakeAsyncRedis

from control import pseudonym
from control.pseudonym import Pseudonyms
from voicebackend.deployment_secret import known_secret, token_secret
from voicebackend.errors import InvalidConfig
from voicebackend.settings import Deployment

SECRET = "a-secret-of-the-deployment-0123456789"
ADA = Pseudonyms.by(SECRET).of("acme", "ada")


def test_the_same_user_has_the_same_in_every_process_and_names_nobody() -> None:
    """Hexadecimal digits in which the user's id does not stand."""
    assert Pseudonyms.by(SECRET).of("acme", "ada") == ADA
    assert re.fullmatch(r"[0-9a-f]{16}", ADA)


@pytest.mark.parametrize(
    ("secret", "tenant", "user"),
    [(SECRET, "globex", "ada"), (SECRET, "acme", "bob"), (SECRET, "acmea", "da"), (SECRET + "x", "acme", "ada")],
)
def test_another_tenants_user_another_user_or_another_secret_gives_another(secret: str, tenant: str, user: str) -> None:
    """So nobody tells whose one is who does not have the secret."""
    assert Pseudonyms.by(secret).of(tenant, user) != ADA


def test_it_leads_to_nothing_that_records_are_found_by() -> None:
    """Also where the same words are the secret of both: what is left of an erasure does not lead to traces."""
    found = Pseudonyms.by(SECRET)
    assert not found.subjects.__class__(SECRET.encode()).of("acme", "ada").startswith(ADA)
    assert SECRET not in repr(found)


@pytest.mark.parametrize("written", ["+1 (202) 555-0111", "tel:+1-202-555-0111", "sip:+12025550111@10.0.0.1"])
def test_a_number_is_the_same_user_however_it_is_written(written: str) -> None:
    """As in records."""
    found = Pseudonyms.by(SECRET)
    assert found.of("acme", written) == found.of("acme", "+12025550111")


@pytest.mark.parametrize("nobody", ["", "anonymous"])
def test_who_has_no_id_has_no_pseudonym(nobody: str) -> None:
    """All callers who withhold their number would be one person."""
    assert Pseudonyms.by(SECRET).of("acme", nobody) == ""


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (["ada", "--tenant", "acme"], ""),
        (["-", "--tenant", "acme"], "ada\n"),
    ],
)
def test_an_operator_asks_for_one_on_the_command_line(
    arguments: list[str], typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the deployment's environment; from standard input nobody else on the machine sees whose."""
    monkeypatch.setenv("VOICEBACKEND_TOKEN_SECRET", SECRET)
    monkeypatch.setattr("sys.argv", ["pseudonym", *arguments])
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert pseudonym.main() == 0
    assert capsys.readouterr().out == ADA + "\n"


def test_a_number_of_a_region_is_asked_for_as_it_is_dialled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is none there is refused, and is not repeated in the error."""
    monkeypatch.setenv("VOICEBACKEND_TOKEN_SECRET", SECRET)
    monkeypatch.setattr("sys.argv", ["pseudonym", "(202) 555-0111", "--region", "US"])
    assert pseudonym.main() == 0
    assert capsys.readouterr().out.strip() == Pseudonyms.by(SECRET).of("default", "+12025550111")
    monkeypatch.setattr("sys.argv", ["pseudonym", "ada-lovelace", "--region", "US"])
    assert pseudonym.main() == 1
    assert "ada-lovelace" not in capsys.readouterr().err


def test_callers_who_withhold_their_number_have_none_to_ask_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty line would be taken for one."""
    monkeypatch.setenv("VOICEBACKEND_TOKEN_SECRET", SECRET)
    monkeypatch.setattr("sys.argv", ["pseudonym", "anonymous"])
    assert pseudonym.main() == 1
    assert capsys.readouterr().out == ""


async def test_where_there_is_no_secret_none_is_made_to_answer_with() -> None:
    """It would be a pseudonym that no trace has; the first process of a deployment makes it."""
    deployment = Deployment()
    async with FakeAsyncRedis(version=(6, 2)) as redis:
        with pytest.raises(InvalidConfig):
            await known_secret(redis, deployment)
        made = await token_secret(redis, deployment)
        assert await known_secret(redis, deployment) == made
