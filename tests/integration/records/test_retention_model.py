"""Records against a model: sessions, sweeps, holds, erasures, comparisons, changes of clock and policies, in any order.

All of it runs step by step: any piece of work may stop between two of its commands, die there, or go on after others.
``VOICEBACKEND_RETENTION_HISTORIES`` says how many histories there are, and ``VOICEBACKEND_RETENTION_SEED`` which is
the first: the same number is the same history.
"""

from __future__ import annotations

import io
import os
import random
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from redis_harness import running_redis
from retention_draws import NAMED, PACES, SECONDS, TENANTS, Call, policies
from retention_history import KEYS, History, clock
from retention_model import ModelObject

from control.records.entry import EntryState
from control.records.export import export
from control.records.paths import id_of
from control.records.policy import RetentionSettings
from control.records.reconcile import reconcile
from control.records.seal import seal
from control.records.sweep import sweep

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(1800),
    pytest.mark.own_redis("it lives through hundreds of histories"),
    pytest.mark.flaky(reruns=0),  # what is wrong once in a while is wrong
]
HISTORIES = int(os.environ.get("VOICEBACKEND_RETENTION_HISTORIES", "30"))
FIRST = int(os.environ.get("VOICEBACKEND_RETENTION_SEED", "1"))
STEPS, MOST_SESSIONS = 50, 10
LEASE_S = 16.0
"""Seconds after which what a sweep had claimed that died is claimed by the next."""
T = TypeVar("T")


class Retention(History):
    """One history, by chance."""

    def __init__(self, chance: random.Random, socket: Path, folder: Path) -> None:
        super().__init__(socket, folder)
        self._chance = chance
        self.told: list[str] = []
        """What happened, for whoever has to find out."""

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of these."""
        return self._chance.choice(choices)

    def live(self) -> None:
        """Let things happen; after each, all must hold."""
        self.run(self.open(policies(self._chance)))
        self.have_calls()
        self.nothing_goes_that_should_stay()
        events = {
            self.have_calls: 3,
            self.keep_records: 5,
            self.do_what_is_scheduled: 12,
            self.go_on: 8,
            self.erase: 2,
            self.place_hold: 3,
            self.lift_hold: 3,
            self.do_something_else: 2,
            self.settle: 1,
        }
        for event in self._chance.choices(list(events), list(events.values()), k=STEPS):
            self.told.append(event.__name__)
            event()
            self.nothing_goes_that_should_stay()
        self.settle()

    # what happens

    def have_calls(self) -> None:
        """Have some calls; most end a little later, and leave something at once."""
        for _ in range(min(self._chance.randint(1, 4), MOST_SESSIONS - len(self.model.sessions))):
            self.call(Call.by(self._chance), self.pick(PACES))

    def keep_records(self) -> None:
        """End a session if it runs; write its documents or its recording, by now or long after, once or again."""
        session = self.pick(list(self.model.sessions.values()))
        if session.ended is None:
            self.end(session)
        self.keep(session, self.pick(PACES), recording=self._chance.random() < 0.4)

    def do_what_is_scheduled(self) -> None:
        """Let the clock go on or put it back; then delete, carry on erasures, compare, or seal receipts."""
        seconds = self.pick(SECONDS)
        self.model.pass_time(seconds)
        if seconds > 60:
            self.run(self.redis.delete(KEYS.receipts_lock()))  # Redis' own clock does not go along
        cabinet, now = self.cabinet, self.model.now
        work = (
            *[lambda: sweep(cabinet.index, cabinet.objects, rate=1e9, now=now)] * 4,
            *[self.erasures.go_on] * 2,
            lambda: reconcile(cabinet.index, cabinet.objects, cabinet.settings),
            lambda: seal(self.redis, KEYS, cabinet.objects, now),
        )
        self.do(self.pick(work)(), self.pick(PACES))

    def do_something_else(self) -> None:
        """Take an object from the store by hand, change the file of policies, or export what is about somebody."""
        there = [one for one in self.model.objects.values() if one.is_there]
        match self._chance.randrange(4):
            case 0 if there:
                one = self.pick(there)
                self.run(self.cabinet.objects.delete(one.path))
                one.taken = True
            case 1:
                changed = RetentionSettings.of(self.file(policies(self._chance)))
                self.cabinet = replace(self.cabinet, settings=changed)
            case _:
                self._export(self.pick(TENANTS), self.pick(NAMED))

    def erase(self) -> None:
        """Ask for somebody to be erased."""
        tenant, name = self.pick(TENANTS), self.pick(NAMED)
        with clock(self.model):
            self.run(self.erasures.ask(tenant, name, by="test"))
        self.model.erased.append((tenant, name, self.model.now))

    def place_hold(self) -> None:
        """Place a hold; what a sweep has claimed by then is told as too late."""
        session = self.pick(list(self.model.sessions.values()))
        tenant, kind = session.tenant, self.pick(("*", "session", "subject", "subject"))
        name = {"*": "", "session": session.id, "subject": self.pick(sorted(session.names))}[kind]
        known = self.cabinet.subjects.of(tenant, name) if kind == "subject" else name
        with clock(self.model):
            scope = kind if kind == "*" else f"{kind}:{known}"
            hold, _ = self.run(self.cabinet.holds.place(tenant, scope, reason="case", by="test"))
        self.model.holds[hold.id] = (tenant, kind, name)
        for one in self.model.objects.values():
            if self.model.held(one.session):
                entries = self.run(self.cabinet.index.many([id_of(one.path)]))
                one.too_late = one.too_late or not entries or entries[0].state is EntryState.DELETING

    def lift_hold(self) -> None:
        """Lift one; the process that does may die before all is given back."""
        if not self.model.holds:
            return
        id_, pace = self.pick(list(self.model.holds)), self.pick(PACES)
        tenant, _, _ = self.model.holds[id_]
        self.do(self.cabinet.holds.lift(tenant, id_), None if pace is None else max(1, pace))
        del self.model.holds[id_]

    def _export(self, tenant: str, name: str) -> None:
        """Everything that is stored about somebody, and nothing of anybody else."""
        file = self.run(export(self.cabinet, tenant, name))
        with file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
            exported = {told.rpartition("/")[2] and told for told in archive.namelist() if told != "index.json"}
        mine = {}
        for one in self.model.objects.values():
            if one.is_there and one.session.tenant == tenant and name in one.session.names:
                _, kind, *_, file_name = one.path.split("/")
                mine[f"{one.session.id}/{kind}/{file_name}"] = one.path
        assert exported <= mine.keys()
        stored = {
            told
            for told, path in mine.items()
            for entry in self.run(self.cabinet.index.many([id_of(path)]))
            if entry.state is EntryState.STORED and entry.subjects
        }
        assert stored <= exported

    def go_on(self) -> None:
        """Let work that stopped go on; or let it die."""
        if self.work:
            self.run(self.resume(self.pick(self.work), self.pick(PACES), dies=self._chance.random() < 0.25))

    # what must hold

    def nothing_goes_that_should_stay(self) -> None:
        """Nothing is written that may not be, deleted before its time or under a hold; the chain is whole."""
        there, told, written = self.run(self.seen())
        for path in sorted(there):
            known = self.model.objects.get(path)
            if known is None or not known.is_there:
                self._appeared(path)
        for one in self.model.objects.values():
            if one.is_there and one.path not in there:
                one.is_there = False
                self._went(one, told[id_of(one.path)], written[id_of(one.path)])

    def _appeared(self, path: str) -> None:
        _, kind, *_, id_, _ = path.split("/")
        session = self.model.sessions[id_]
        assert session.ended is not None
        assert session.kept[kind] > 0, f"{path} was never to be written"
        self.model.appear(path, session.ended + session.kept[kind], session)

    def _went(self, one: ModelObject, told: int, written: int) -> None:
        if one.taken:
            return
        assert written <= one.lives
        receipted = told >= one.lives  # it came back after that, by a process that died
        assert not self.model.held(one.session) or one.too_late or receipted, f"{one.path} was held"
        clocks = [work.began for work in self.work]
        assert self.model.may_go(one, clocks), f"{one.path} went before its time"

    def settle(self) -> None:
        """Let all that stopped die, and everything be done that is scheduled: then nothing due is left."""
        for work in self.work:
            self.run(work.kill())
        self.work = []
        self.model.pass_time(LEASE_S)
        self.run(self.rest())
        self.nothing_goes_that_should_stay()
        _, told, written = self.run(self.seen())
        for one in self.model.objects.values():
            self._rests(one, told[id_of(one.path)], written[id_of(one.path)])

    def _rests(self, one: ModelObject, told: int, written: int) -> None:
        if not one.is_there:
            waits = self.model.held(one.session) or one.taken or self._is_leased(one)
            assert told or waits, f"{one.path} went without a receipt"
            assert written <= one.lives
            return
        assert written <= one.lives - 1, f"{one.path} is there, and has a receipt"
        if self.model.held(one.session):
            return
        assert not self.model.erased_by_now(one.session), f"{one.path} is about somebody who was erased"
        assert one.due > self.model.now or self._is_leased(one), f"{one.path} is due"

    def _is_leased(self, one: ModelObject) -> bool:
        """Tell whether a sweep of a later time has it: the clock was put back since."""
        score = self.run(self.redis.zscore(KEYS.records_due(), id_of(one.path)))
        entries = self.run(self.cabinet.index.many([id_of(one.path)]))
        return bool(entries) and entries[0].state is EntryState.DELETING and (score or 0) / 1000 > self.model.now


def test_records_keep_what_the_model_keeps_and_nothing_else(tmp_path: Path) -> None:
    """Whatever happens, in whatever order, and whoever dies in between."""
    lived = 0
    with running_redis() as socket:
        for seed in range(FIRST, FIRST + HISTORIES):
            history = Retention(random.Random(seed), socket, tmp_path)  # noqa: S311 - a test's, the same each time
            try:
                history.live()
            except Exception as error:
                error.add_note(f"history {seed}: {', '.join(history.told)}")
                raise
            finally:
                history.close()
            lived += sum(one.lives for one in history.model.objects.values())
    assert lived > 4 * HISTORIES  # else nothing was tried
