"""The simulation notices when a rule is broken: each test breaks one and waits for a seed that fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import servers
import workers
from oracle import InvariantBroken
from rules import Rules
from seeds import simulate

import worker.lane
from worker.lanes import balance, plan

SEEDS = 400
"""Tried before a broken rule counts as not noticed."""


def noticed(rules: Rules | None = None) -> str:
    """Return what the first seed that fails says; an empty text if none does."""
    for seed in range(SEEDS):
        try:
            simulate(seed, rules=rules)
        except InvariantBroken as broken:
            return str(broken)
    return ""


def test_it_notices_a_holder_that_falls_silent_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who speaks on after its lease has lapsed speaks with its successor."""
    monkeypatch.setattr(worker.lane, "MUTE_S", 4.0)
    assert " after " in noticed()


def test_it_notices_epochs_that_only_one_server_knows() -> None:
    """A counter in ``state`` alone falls back with its last writes."""
    assert "is not after" in noticed(Rules(next_epoch=lambda last, _lane, _now: last + 1))


def test_it_notices_a_gateway_without_a_fence() -> None:
    """Audio that a worker had in its hands when it was stopped would be heard after its successor's."""
    assert " hears " in noticed(Rules(fenced=False))


def test_it_notices_strangers_that_claim_before_owners() -> None:
    """After a restart of ``state``, lanes look free whose holders still speak."""
    assert " speaks in " in noticed(Rules(grace_ms=0))


def test_it_notices_a_lane_taken_back_after_another_had_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an old holder remembers of a lane's sessions is from before its successor's time."""
    claim = servers.State.claim
    monkeypatch.setattr(servers.State, "claim", lambda self, asked: claim(self, replace(asked, held=0)))
    assert " back from " in noticed()


def test_it_notices_admission_that_believes_announcements(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane that was just taken over is not announced yet, but its sessions are there."""
    admit, leased = servers.State.admit, servers.State.leased

    def credulous(self: servers.State, session: str, asked: Iterable[servers.Asked]) -> str:
        announced = {name: lanes for name, _, lanes in asked}

        def known(state: servers.State, name: str) -> dict[int, int]:
            return {lane: taken for lane, taken in leased(state, name).items() if lane in announced[name]}

        with monkeypatch.context() as only_here:
            only_here.setattr(servers.State, "leased", known)
            return admit(self, session, asked)

    monkeypatch.setattr(servers.State, "admit", credulous)
    assert " slots" in noticed()


def test_it_notices_takeovers_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that takes whatever lies around has more than 125 %."""
    monkeypatch.setattr(workers, "TAKEOVER_EXCESS", 9.0)
    monkeypatch.setattr(plan, "TAKEOVER_EXCESS", 9.0)
    assert " at most" in noticed()


def test_it_notices_lanes_that_nobody_takes_over() -> None:
    """Sessions of a worker that died wait for ever."""

    def nobody(*_args: Any, **_kwargs: Any) -> list[int]:
        return []

    assert "has no holder" in noticed(Rules(to_claim=nobody))


def test_it_notices_lanes_that_go_back_and_forth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hysteresis two workers hand the same lane to each other."""
    monkeypatch.setattr(balance, "HYSTERESIS", -1.0)
    assert "back and forth" in noticed()


def test_it_notices_sessions_that_state_forgot_and_nobody_restores() -> None:
    """They would be heard, but their slots be given to others."""
    assert "is lost" in noticed(Rules(heals=False))
