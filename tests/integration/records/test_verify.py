"""The command that proves the chain, and the settings file of the guide."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis.asyncio import Redis

from control.records.cabinet import Cabinet
from control.records.entry import Entry
from control.records.policy import RetentionSettings
from control.records.sweep import sweep
from control.records.writer import write
from voicebackend.errors import InvalidConfig
from voicebackend.settings import Deployment

GUIDE = Path(__file__).parents[3] / "docs" / "retention.md"


def test_the_settings_in_the_guide_are_good_but_for_the_key() -> None:
    """As they stand there: nobody goes on with a key that everybody knows."""
    text = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    said = yaml.safe_load(text[1])
    assert len(RetentionSettings.of({**said, "subject_key": "k" * 40}).policies) == 5
    with pytest.raises(InvalidConfig, match="openssl rand"):
        RetentionSettings.of(said)


async def test_the_chain_is_proved_by_a_command_and_a_missing_receipt_found(
    redis: Redis, deployment: Deployment, tmp_path: Path
) -> None:
    """0 while it is whole, 1 with the number of what is missing."""
    policies = [{"id": "all", "class": "transcript", "ttl": 1}]
    settings = {"store": f"file://{tmp_path}/records", "subject_key": "k" * 40, "policies": policies}
    path = tmp_path / "retention.yaml"
    path.write_text(yaml.safe_dump(settings))
    cabinet = Cabinet.open(path, redis, deployment.keys)
    for number in range(3):
        about = {"path": f"t/{number}", "tenant": "t", "data_class": "transcript", "session": "s"}
        entry = Entry(id=str(number), due=time.time() - 1, **about)  # type: ignore[arg-type]
        assert await write(cabinet.index, cabinet.objects, entry, b"x")
    assert await sweep(cabinet.index, cabinet.objects) == 3
    environment = {**deployment.to_env(), "VOICEBACKEND_RETENTION": str(path)}

    def verify() -> tuple[int, str]:
        command = [sys.executable, "-m", "control.records", "verify"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout

    code, said = verify()
    assert (code, "receipts: 3" in said, "chain: whole" in said) == (0, True, True)
    rows: Any = await redis.xrange(deployment.keys.receipts())
    assert rows
    await redis.xdel(deployment.keys.receipts(), rows[1][0])
    code, said = verify()
    assert code == 1
    assert "receipt 3 is missing or was changed" in said
    await redis.delete(deployment.keys.receipts())
    assert "receipt 1 is missing" in verify()[1]
