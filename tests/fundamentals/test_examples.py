"""Every example runs, as a person would run it, and prints what its README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PRINTS = {
    "quickstart.py": r"user: hello from mock\nagent: I heard: hello from mock",
    "streaming_agent.py": r"the agent spoke for \d+\.\d s so far",
    "s2s.py": r"Good day\.",
    "multi_user.py": "\n".join(rf"Hello user-{number}\." for number in range(10)),
    "custom_processor.py": r"[1-9]\d* pieces of caller audio were made louder",
    "langchain_agent.py": r"agent:  We have a table at seven\.\n.*\nagent:  I will keep it for you\.",
    "framework_agents.py": r"host: .+\nclerk: .*We are open until nine\.",
    "rag_agent.py": r"asked 0 times before\. .+ until nine\.\n(.*\n)+.*asked 1 times before\. .+ behind the house\.",
    "hearing_agent.py": r"agent: You said hello from mock, and it took you [1-9] second",
    "hooks.py": r"the session knows its caller: \+15550100\n(.*\n)*.*\(code: rate_limit_exceeded\)",
    "swap_provider.py": r"mock: our agent answers\nuser: hello from mock\nagent: you said hello from mock",
    "phone_agent/main.py": r"user: 1\nagent: We are open until nine\. Goodbye\.\nthe caller heard the agent for [1-9]",
}
"""What each prints, among others. Those of ``custom_provider`` and ``web_apps`` have tests of their own."""


@pytest.mark.timeout(400)
@pytest.mark.flaky(reruns=5, only_rerun="session_limit_exceeded")  # a worker so slow that it takes no sessions
@pytest.mark.parametrize("example", PRINTS)
def test_an_example_runs(example: str, tmp_path: Path) -> None:
    """It ends with 0 and prints what it shows."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=360,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(PRINTS[example], done.stdout), done.stdout[-3000:]


def test_every_example_is_run() -> None:
    """A new one says what it prints."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {name for name in PRINTS if "/" not in name}
