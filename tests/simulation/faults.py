"""What goes wrong: workers crash, stand still, leave and join; servers restart; the network loses messages."""

from __future__ import annotations

from random import Random

from workers import SimWorker
from world import World

DRAIN_MS = 5_000
"""After which a draining worker leaves whatever it still has."""


class Faults:
    """Plans faults between two times, in milliseconds; every one is over by the second."""

    def __init__(self, world: World, rng: Random, *, begin_ms: float, end_ms: float) -> None:
        self.world, self.rng, self.begin_ms, self.end_ms = world, rng, begin_ms, end_ms
        self.kinds = (
            self.crash, self.crash, self.freeze, self.freeze, self.deploy, self.join,
            self.state_restarts, self.audio_restarts, self.lossy, self.slow, self.rush,
        )  # fmt: skip

    def plan(self, count: int) -> None:
        """Plan so many faults at random times."""
        for _ in range(count):
            at = self.rng.uniform(self.begin_ms, self.end_ms)
            self.world.timeline.after(at, self.rng.choice(self.kinds))

    def any_worker(self) -> SimWorker | None:
        """Return some worker that is there."""
        running = [worker for worker in self.world.running() if not worker.stopped]
        return self.rng.choice(running) if running else None

    def left_ms(self, most: float) -> float:
        """Return a random duration that ends in time."""
        return min(self.rng.uniform(0.1, 1) * most, max(1.0, self.end_ms - self.world.timeline.now))

    def again(self, delay_ms: float, worker: SimWorker) -> None:
        """Start another worker in place of this one."""
        self.world.timeline.after(delay_ms, self.start, worker.slots, worker.wanted)

    def start(self, slots: int, wanted: int) -> None:
        """Start a worker."""
        self.world.add_worker(slots, wanted)

    def crash(self) -> None:
        """Kill a worker; with a supervisor, its leases are released at once."""
        worker = self.any_worker()
        if worker is None:
            return
        supervised = self.rng.random() < 0.5
        self.world.timeline.note("{} crashes, supervised: {}", worker, supervised)
        worker.die()
        if supervised:
            self.release_all(worker)
        self.again(self.left_ms(2_000), worker)

    def release_all(self, worker: SimWorker) -> None:
        """Release a dead worker's leases, as its supervisor does."""
        state = self.world.state
        if state.up:
            for number, lane in worker.lanes.items():
                state.release(worker.id, number, lane.epoch)
            state.withdraw(worker.id)

    def freeze(self) -> None:
        """Stop a worker for a while, perhaps with audio in its hands that it sends when it goes on."""
        worker = self.any_worker()
        if worker is None:
            return
        pause = self.left_ms(4_000)
        self.world.timeline.note("{} stands still for {:.0f} ms", worker, pause)
        worker.stop()
        for lane in worker.lanes.values():
            if self.rng.random() < 0.5:
                worker.do(self.world.transmit, worker.id, lane.epoch, tuple(lane.sessions))
        self.world.timeline.after(pause, worker.go_on)

    def deploy(self) -> None:
        """Drain a worker and start another."""
        worker = self.any_worker()
        if worker is None or worker.draining:
            return
        self.world.timeline.note("{} drains", worker)
        worker.draining = True
        self.world.timeline.after(DRAIN_MS, self.leave, worker)
        self.again(self.left_ms(1_000), worker)

    def leave(self, worker: SimWorker) -> None:
        """End a worker that could not hand everything over."""
        if not worker.dead:
            worker.die()
            self.release_all(worker)

    def join(self) -> None:
        """Add a worker."""
        worker = self.any_worker()
        if worker is not None:
            self.world.add_worker(worker.slots, worker.wanted)

    def state_restarts(self) -> None:
        """Restart ``state``; up to a second of what was written is lost."""
        state, lost = self.world.state, self.rng.randint(0, 1_000)
        if not state.up:
            return
        down = self.left_ms(2_000)
        self.world.timeline.note("state is away for {:.0f} ms and loses {} ms", down, lost)
        state.restart(lost)
        state.up = False
        self.world.timeline.after(down, self.state_back)

    def state_back(self) -> None:
        """Let ``state`` answer again."""
        self.world.timeline.note("state is back")
        self.world.state.up = True
        self.world.state.started_ms = self.world.state.clock()

    def audio_restarts(self) -> None:
        """Restart ``audio``: it comes back empty."""
        audio = self.world.audio
        self.world.timeline.note("audio restarts empty")
        audio.restart()
        audio.up = False
        self.world.timeline.after(self.left_ms(1_000), setattr, audio, "up", True)

    def lossy(self) -> None:
        """Lose some messages for a while."""
        network = self.world.network
        network.loss = self.rng.uniform(0.05, 0.5)
        self.world.timeline.note("{:.0%} of messages are lost", network.loss)
        self.world.timeline.after(self.left_ms(2_000), setattr, network, "loss", 0.0)

    def slow(self) -> None:
        """Delay messages for a while."""
        network = self.world.network
        network.delay_ms = self.rng.uniform(20, 300)
        self.world.timeline.note("messages take up to {:.0f} ms", network.delay_ms)
        self.world.timeline.after(self.left_ms(2_000), setattr, network, "delay_ms", 2.0)

    def rush(self) -> None:
        """Create many sessions at once."""
        for _ in range(self.rng.randint(5, 30)):
            self.world.timeline.after(self.rng.uniform(0, 50), one_call, self.world, self.rng, self.end_ms)


def one_call(world: World, rng: Random, end_ms: float) -> None:
    """Begin a session that ends before ``end_ms`` or outlives the simulation."""
    world.called += 1
    lasts = rng.choice((rng.uniform(500, 8_000), 1e9))
    if world.timeline.now + lasts > end_ms:
        lasts = 1e9
    world.calls.create(f"s{world.called}", lasts)
