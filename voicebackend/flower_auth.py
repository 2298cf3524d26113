"""Flower shows tasks, and can end them where workers obey: it is for operators only, who give a name and a password."""

from __future__ import annotations

from collections.abc import Sequence

from voicebackend.errors import InvalidConfig

FLOWER_BASIC_AUTH = "FLOWER_BASIC_AUTH"
"""Names and passwords, ``name:password,name:password``; Flower reads it itself."""
SHORTEST = 12
"""Characters of a password: nothing hinders somebody from trying."""


def check_passwords(accounts: Sequence[str]) -> None:
    """Check that there are accounts, each with a password worth the name; none of them is shown.

    Raises:
        InvalidConfig: there is none, or one has no password, or a short one.

    """
    if not accounts:
        raise _refused(f"set {FLOWER_BASIC_AUTH}=name:password: without, everybody could see tasks")
    for account in accounts:
        name, _, password = account.partition(":")
        if not name or len(password) < SHORTEST:
            raise _refused(f"{FLOWER_BASIC_AUTH}: name:password, with at least {SHORTEST} characters of password")


def _refused(message: str) -> InvalidConfig:
    return InvalidConfig("flower", message, details={"field": FLOWER_BASIC_AUTH})
