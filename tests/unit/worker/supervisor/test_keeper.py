"""One place and its children, in virtual time: no process is started."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from voicebackend.errors import InvalidConfig
from voicebackend.virtual_time import run
from worker.settings import SupervisorSettings
from worker.supervisor.child import Child
from worker.supervisor.keeper import Keeper
from worker.supervisor.pulse import Phase, Pulse

LOAD_S = 2.0
READY = Pulse(phase=Phase.READY, rss_mb=100)


class Doll(Child):
    """A child without a process: ready after 2 s; ends 3 s after it was asked to."""

    def __init__(self, stage: Stage, number: int) -> None:
        super().__init__(f"w{number}", [], stage.free, drain_s=60)
        self._stage = stage
        asyncio.get_running_loop().call_later(LOAD_S, self.be_ready)

    def be_ready(self) -> None:
        """Hold lanes."""
        if self.ended.is_set():
            return
        self.pulse = self.at_ready = READY
        self.ready.set()
        self._stage.note(f"{self.worker} ready")

    def drain(self) -> None:
        """End in a while."""
        self._stage.note(f"{self.worker} drains")
        asyncio.get_running_loop().call_later(3.0, self.end)

    def end(self) -> None:
        """Be over."""
        self._stage.note(f"{self.worker} ended")
        self.ended.set()


class Stage:
    """Keepers on it begin dolls; what happened is told with its second."""

    def __init__(self, settings: SupervisorSettings | None = None, places: int = 1) -> None:
        self._numbers = itertools.count(1)
        self.children: list[Doll] = []
        self.told: list[str] = []
        self.stillborn = 0
        """Children, of those begun from now on, that end at once."""
        turn = asyncio.Lock()
        self.keepers = [Keeper(self.begin, turn, settings or SupervisorSettings()) for _ in range(places)]
        self.tasks = [asyncio.create_task(keeper.run(), name="keeper") for keeper in self.keepers]

    async def free(self, worker: str) -> None:
        """Nothing was leased."""

    def note(self, what: str) -> None:
        """Tell it."""
        self.told.append(f"{asyncio.get_running_loop().time():.0f} {what}")

    def begin(self) -> Doll:
        """Begin one."""
        child = Doll(self, next(self._numbers))
        self.note(f"{child.worker} begins")
        self.children.append(child)
        if self.stillborn:
            self.stillborn -= 1
            child.end()
        return child

    async def close(self) -> None:
        """End the keepers."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def test_who_dies_is_followed_by_another() -> None:
    """Within the first tenth of a second."""

    async def story() -> list[str]:
        stage = Stage()
        await asyncio.sleep(10)
        stage.children[0].end()
        await asyncio.sleep(0.2)
        await stage.close()
        return stage.told

    assert run(story()) == ["0 w1 begins", "2 w1 ready", "10 w1 ended", "10 w2 begins"]


def test_deaths_in_a_row_are_followed_ever_later() -> None:
    """A child that cannot live does not eat the machine: 12 tries take more than 25 s."""

    async def story() -> tuple[int, int]:
        stage = Stage()
        await asyncio.sleep(0)
        stage.stillborn = 12
        stage.children[0].end()
        await asyncio.sleep(25)
        early = len(stage.children)
        await asyncio.sleep(50)
        await stage.close()
        return early, len(stage.children)

    early, late = run(story())
    assert early < late == 14


@pytest.mark.parametrize(
    ("settings", "pulse"),
    [
        (SupervisorSettings(recycle_sessions=5), Pulse(phase=Phase.READY, sessions=5, rss_mb=100)),
        (SupervisorSettings(recycle_mb=20), Pulse(phase=Phase.READY, sessions=1, rss_mb=120)),
    ],
    ids=["sessions", "memory"],
)
def test_who_is_worn_drains_once_the_next_is_ready(settings: SupervisorSettings, pulse: Pulse) -> None:
    """So that there is somebody to take its calls."""

    async def story() -> list[str]:
        stage = Stage(settings)
        await asyncio.sleep(9.9)
        stage.children[0].pulse = pulse
        await asyncio.sleep(20)
        await stage.close()
        return stage.told

    order = ["w1 begins", "w1 ready", "w2 begins", "w2 ready", "w1 drains", "w1 ended"]
    assert [line.split(" ", 1)[1] for line in run(story())] == order


def test_all_are_renewed_one_after_the_other() -> None:
    """Never two at once are missing."""

    async def story() -> list[str]:
        stage = Stage(places=2)
        await asyncio.sleep(10)
        for keeper in stage.keepers:
            keeper.renew()
        await asyncio.sleep(30)
        await stage.close()
        return [line.split(" ", 1)[1] for line in stage.told[4:]]

    first = ["w3 begins", "w3 ready", "w1 drains", "w1 ended"]
    second = ["w4 begins", "w4 ready", "w2 drains", "w2 ended"]
    assert run(story()) == [*first, *second]


def test_the_old_one_serves_on_while_no_next_one_lives() -> None:
    """A deploy that does not start costs nobody a call."""

    async def story() -> list[str]:
        stage = Stage()
        await asyncio.sleep(10)
        stage.stillborn = 3
        stage.keepers[0].renew()
        await asyncio.sleep(30)
        await stage.close()
        return [line.split(" ", 1)[1] for line in stage.told if "w1" in line or "ready" in line]

    assert run(story()) == ["w1 begins", "w1 ready", "w5 ready", "w1 drains", "w1 ended"]


def test_a_first_child_without_hope_ends_it_and_a_later_one_does_not() -> None:
    """Whoever starts it sees why; a configuration that breaks later may be mended."""

    async def hopeless(*, served: bool) -> bool:
        stage = Stage()
        await asyncio.sleep(10 if served else 1)
        stage.children[0].hopeless = True
        stage.children[0].end()
        await asyncio.sleep(5)
        refused = stage.tasks[0].done() and isinstance(stage.tasks[0].exception(), InvalidConfig)
        await stage.close()
        return refused

    assert run(hopeless(served=False))
    assert not run(hopeless(served=True))
