"""An open connection to the backend that a command's options mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from voicebackend.cli.target import find_target
from voicebackend.client.http import HttpApi
from voicebackend.retry import RetryPolicy
from voicebackend.settings import Deployment

TIMEOUT_S = 10.0


@asynccontextmanager
async def reached(url: str | None, api_key: str | None) -> AsyncIterator[HttpApi]:
    """Give the API of the backend that the options mean, or else the environment, or ``voicebackend up``."""
    target = find_target(url, api_key, Deployment.from_env().home)
    api = HttpApi(target.url, target.api_key, policy=RetryPolicy(max_retries=1, delay_s=0.2), timeout_s=TIMEOUT_S)
    await api.open()
    try:
        yield api
    finally:
        await api.aclose()
