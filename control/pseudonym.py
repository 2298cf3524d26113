"""What traces call a user, so that nobody is named there. ``python -m control.pseudonym USER`` tells whose one is.

No erasure reaches a collector. A pseudonym says nothing by itself: only who has the deployment's secret, and already
knows the user's id, can tell that it is theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from dataclasses import dataclass
from typing import Self

from control.access.principal import OPERATOR
from control.records.names import e164, is_somebody, meant
from control.records.subjects import Subjects
from voicebackend._redis import connect
from voicebackend.deployment_secret import known_secret
from voicebackend.errors import InvalidConfig, VoiceBackendError
from voicebackend.settings import Deployment

DIGITS = 16
"""Hexadecimal digits of a pseudonym."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """A deployment's: one for each user of each tenant, the same over all of their sessions."""

    subjects: Subjects

    @classmethod
    def by(cls, secret: str) -> Self:
        """Return those that are made by the deployment's secret; as keyed hashes they are no other's of ours."""
        return cls(Subjects(hashlib.sha256(b"voicebackend spans\0" + secret.encode()).digest()))

    def of(self, tenant: str, user_id: str) -> str:
        """Return what traces call a user; empty for callers who withhold their number.

        A telephone number is the same user however it is written, where it begins with ``+``.
        """
        if not is_somebody(user_id):
            return ""
        return self.subjects.of(tenant, e164(user_id) or user_id)[:DIGITS]


async def told(deployment: Deployment, tenant: str, user: str, region: str | None) -> str:
    """Return the pseudonym of a user id or number.

    Raises:
        InvalidConfig: with a ``region``, it is no telephone number there; or this deployment has no secret, or such
            callers no pseudonym.
        ConnectionFailed: the secret is kept in Redis, and that is not there.

    """
    async with connect(deployment.state_url) as redis:
        secret = await known_secret(redis, deployment)
    found = Pseudonyms.by(secret).of(tenant, meant(user, region))
    if not found:
        raise InvalidConfig("pseudonym", "who withholds their number has none", details={"field": "user"})
    return found


def main() -> int:
    """Run the command line; return 0, or 1 after an error's words."""
    parser = argparse.ArgumentParser(prog="python -m control.pseudonym", description="What traces call a user.")
    parser.add_argument("user", help="a user id or a number as +14155550123; '-' reads it from standard input")
    parser.add_argument("--tenant", default=OPERATOR)
    parser.add_argument("--region", help="it is a telephone number without '+', dialled in this region: US, DE, ...")
    given = parser.parse_args()
    user = sys.stdin.readline().rstrip("\n") if given.user == "-" else given.user
    try:
        found = asyncio.run(told(Deployment.from_env(), given.tenant, user, given.region))
    except VoiceBackendError as error:
        sys.stderr.write(f"pseudonym: {error}\n")
        return 1
    sys.stdout.write(found + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
