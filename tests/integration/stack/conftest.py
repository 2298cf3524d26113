"""The development stack, run by ``voicebackend up`` once for all tests in this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from dev_stack import running_stack
from redis_roles import RedisRoles
from stack_harness import StackAddress, StackClient

CONFIG = """
provider: mock
timeout: 2
provider_config: {decode: true, seconds_per_character: 0.04}
"""


@pytest.fixture(scope="session")
def stack(stack_redis: RedisRoles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAddress]:
    """Run control, worker, Celery and beat as processes, with provider ``mock``."""
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(stack_redis, folder, agents="stack_agents", config=CONFIG) as address:
        yield address


@pytest.fixture
async def client(stack: StackAddress) -> AsyncIterator[StackClient]:
    async with aiohttp.ClientSession() as http:
        yield StackClient(stack, http)
