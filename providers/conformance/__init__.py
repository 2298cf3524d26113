"""What engines and providers must do, as suites of tests to inherit: ours do, and so may anybody's.

It needs pytest and pytest-asyncio (`pip install "voicebackend[testing]"`); nothing else of the project imports it.
"""

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{kind}" for kind in ("provider", "remote", "s2s", "stt", "tts")))

from providers.conformance.double import Double, Fault  # noqa: E402 - asserts of what is imported now are rewritten
from providers.conformance.provider import ProviderSuite  # noqa: E402
from providers.conformance.remote import AnswerSuite, RemoteSuite, SocketSuite  # noqa: E402
from providers.conformance.s2s import S2sSuite, SayingSuite  # noqa: E402
from providers.conformance.stt import SttSuite  # noqa: E402
from providers.conformance.tts import TtsSuite  # noqa: E402

__all__ = [
    "AnswerSuite",
    "Double",
    "Fault",
    "ProviderSuite",
    "RemoteSuite",
    "S2sSuite",
    "SayingSuite",
    "SocketSuite",
    "SttSuite",
    "TtsSuite",
]
