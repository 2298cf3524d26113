"""What the tests of tasks share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from task_harness import LaneReader, lane_reader, task_context

from control.context import TaskContext
from voicebackend.settings import Deployment


@pytest.fixture
async def shared(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give what tasks work with."""
    async with task_context(deployment) as context:
        yield context


@pytest.fixture
async def lane(deployment: Deployment) -> AsyncIterator[LaneReader]:
    """Give the lane of the worker."""
    async with lane_reader(deployment) as reader:
        yield reader
