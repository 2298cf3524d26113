"""The worker's and the supervisor's settings from the environment."""

from __future__ import annotations

import pytest

from voicebackend.errors import InvalidConfig
from worker.settings import SupervisorSettings, WorkerSettings, cores


def test_without_variables_there_is_one_process_that_lives_for_ever() -> None:
    """And it may use every core."""
    assert SupervisorSettings.from_env({}) == SupervisorSettings(
        processes=1, recycle_sessions=0, recycle_mb=0, drain_s=60
    )
    assert WorkerSettings.from_env({}).engine_threads == cores()


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    """As compose files leave them."""
    assert SupervisorSettings.from_env({"VOICEBACKEND_PROCESSES": ""}).processes == 1


def test_processes_share_the_cores_out() -> None:
    """None is left without a thread."""
    assert WorkerSettings.from_env({}, processes=256).engine_threads == -(-cores() // 256)
    assert WorkerSettings.from_env({"VOICEBACKEND_ENGINE_THREADS": "3"}, processes=2).engine_threads == 3


def test_the_command_line_counts_more_than_the_variable() -> None:
    """What is said last."""
    assert SupervisorSettings.from_env({"VOICEBACKEND_PROCESSES": "2"}, processes=0).processes == 0


def test_every_worker_has_a_name_of_its_own_unless_it_is_given_one() -> None:
    """Ids are unique over restarts."""
    assert WorkerSettings.from_env({}).id != WorkerSettings.from_env({}).id
    assert WorkerSettings.from_env({}, worker="w").id == "w"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("VOICEBACKEND_PROCESSES", "257"),
        ("VOICEBACKEND_PROCESSES", "-1"),
        ("VOICEBACKEND_PROCESSES", "two"),
        ("VOICEBACKEND_PROCESSES", "9" * 5000),
        ("VOICEBACKEND_PROCESSES", "٣"),
        ("VOICEBACKEND_DRAIN_S", "0"),
        ("VOICEBACKEND_RECYCLE_MB", "1.5"),
        ("VOICEBACKEND_RECYCLE_SESSIONS", " 1"),
    ],
)
def test_what_is_no_number_in_its_range_is_refused_by_name(variable: str, text: str) -> None:
    """The message says which variable, and what it takes."""
    with pytest.raises(InvalidConfig, match=variable) as error:
        SupervisorSettings.from_env({variable: text})
    assert error.value.details == {"field": variable}


@pytest.mark.parametrize(("variable", "text"), [("VOICEBACKEND_LANES", "0"), ("VOICEBACKEND_ENGINE_THREADS", "0")])
def test_a_worker_needs_a_lane_and_a_thread(variable: str, text: str) -> None:
    """Zero of either is none."""
    with pytest.raises(InvalidConfig, match=variable):
        WorkerSettings.from_env({variable: text})
