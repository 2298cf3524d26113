"""``python -m control.records verify``: whether the chain of receipts is whole, and what is late. Reads only."""

from __future__ import annotations

import argparse
import asyncio
import sys

from control.records.cabinet import Cabinet
from control.records.seal import each_receipt, first_broken
from voicebackend._redis import connect
from voicebackend.errors import InvalidConfig, VoiceBackendError
from voicebackend.settings import Deployment


async def verify(deployment: Deployment) -> int:
    """Print what is found; return 0 if nothing is wrong, else 1."""
    if deployment.retention is None:
        raise InvalidConfig("records", "no records are kept here: set VOICEBACKEND_RETENTION")
    redis = connect(deployment.state_url)
    try:
        cabinet = await asyncio.to_thread(
            Cabinet.open, deployment.retention, redis, deployment.keys, deployment.records_key
        )
        head = await cabinet.index.head()
        wrong = await first_broken(redis, deployment.keys, cabinet.objects, head)
        count = sum([1 async for _ in each_receipt(redis, deployment.keys, cabinet.objects)])
        late_s = await cabinet.index.late_s()
    finally:
        await redis.aclose()
    said = [f"receipts: {count}, last {head.hash[:16]}"]
    said.append("chain: whole" if wrong is None else f"chain: receipt {wrong} is missing or was changed")
    said.append(f"late: {late_s:.0f} s")
    sys.stdout.write("\n".join(said) + "\n")
    return 0 if wrong is None else 1


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m control.records", description=__doc__)
    parser.add_argument("command", choices=["verify"])
    parser.parse_args()
    try:
        return asyncio.run(verify(Deployment.from_env()))
    except VoiceBackendError as error:
        sys.stderr.write(f"records: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
