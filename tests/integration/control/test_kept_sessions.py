"""What a new session's record says of its records, where a deployment keeps any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from voicebackend.settings import Deployment

pytestmark = pytest.mark.integration


async def test_who_may_handle_a_session_stands_in_its_record(
    start: Any, deployment: Deployment, worker: Any, tmp_path: Path
) -> None:
    """As the configuration says when it begins: a later change does not reach it."""
    policy = {"id": "transcripts", "class": "transcript", "ttl": "P1D"}
    settings = {"store": f"file://{tmp_path}/records", "subject_key": "k" * 40, "policies": [policy]}
    path = tmp_path / "retention.yaml"
    path.write_text(yaml.safe_dump(settings))
    api = await start(deploy=replace(deployment, retention=path), stt_provider="ear", tts_provider="voice")
    record = await worker.store.get((await api.create())["id"])
    assert record.handlers == {"provider": ["mock"], "stt": ["ear"], "tts": ["voice"]}
    assert record.retention["transcript"][0] == "transcripts"
    assert (await worker.store.get((await api.create(provider="remote", agent=None))["id"])).handlers == {
        "provider": ["remote"]
    }
