"""What tests of applications need: a backend in memory, concurrent runs, and load with a report.

Nothing here but the fixture ``voice_backend`` starts a process or opens a connection.
"""

from voicebackend.testing.caller import Caller
from voicebackend.testing.concurrent import ConcurrentResult, ConcurrentTestRunner
from voicebackend.testing.load import LoadReport, run_load_test
from voicebackend.testing.mock_backend import MockVoiceBackend
from voicebackend.testing.mock_session import MockVoiceSession

__all__ = [
    "Caller",
    "ConcurrentResult",
    "ConcurrentTestRunner",
    "LoadReport",
    "MockVoiceBackend",
    "MockVoiceSession",
    "run_load_test",
]
