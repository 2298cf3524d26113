"""What traces call a user, as the API shows it: one over all of their sessions, and their tenant's own."""

from __future__ import annotations

from typing import Any

import pytest

from control.pseudonym import Pseudonyms
from voicebackend.deployment_secret import token_secret

OTHER_KEY = "other-key-0123456789"


async def _created(api: Any, user: str, **how: Any) -> Any:
    """Return a new session of a user."""
    body = {"user_id": user, "transport": "websocket", "agent": "demo"}
    answer = await api.send("POST", "/v1/sessions", json=body, **how)
    assert answer.status == 201
    return await answer.json()


@pytest.mark.usefixtures("worker")
async def test_a_user_is_called_the_same_in_all_sessions_and_in_no_other_tenant(api: Any) -> None:
    """It is made once, and stays in the record."""
    first, second = await _created(api, "ada"), await _created(api, "ada")
    found = await (await api.send("GET", f"/v1/sessions/{first['id']}")).json()
    assert first["pseudonym"] == second["pseudonym"] == found["pseudonym"]
    others = [await _created(api, "bob"), await _created(api, "ada", key=OTHER_KEY)]
    assert len({first["pseudonym"], *(one["pseudonym"] for one in others)}) == 3


@pytest.mark.usefixtures("worker")
async def test_who_withholds_a_number_is_called_nothing(api: Any) -> None:
    """Telephony's callers without one share a user id, and are not one person."""
    assert (await _created(api, "anonymous"))["pseudonym"] is None


async def test_it_is_made_by_the_deployments_secret(api: Any, worker: Any) -> None:
    """Which lies in Redis where it is not given: so the command line tells the same."""
    made = Pseudonyms.by(await token_secret(worker.redis, worker.deployment))
    assert (await _created(api, "ada"))["pseudonym"] == made.of("default", "ada")
