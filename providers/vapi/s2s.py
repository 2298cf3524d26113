"""Engine ``vapi``: assistants that Vapi hosts; each session is a call of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from providers.remote.config import key_of
from providers.remote.leases import Leases
from providers.vapi.calls import Calls
from providers.vapi.config import VapiConfig
from providers.vapi.stream import VapiStream
from voicebackend.agents import HistoryEntry
from voicebackend.errors import ConnectionFailed
from voicebackend.interfaces import S2sStream, SpeechToSpeech


class VapiS2s(SpeechToSpeech):
    """Creates a call for each session, and joins it by websocket."""

    name = "vapi"
    remote: ClassVar[bool] = True
    Config = VapiConfig
    can_say = True
    takes_text = True
    remembers = True

    def __init__(self, config: VapiConfig) -> None:
        super().__init__(config)
        self.settings = config
        self.sample_rate = config.sample_rate
        self._calls: Calls | None = None
        self._leases = Leases("vapi")

    async def open(self) -> None:
        """Make ready to reach Vapi.

        Raises:
            InvalidConfig: there is no key.

        """
        if self._calls is None:
            calls = Calls(self.settings, key_of(self.settings.api_key, "VAPI_API_KEY", field="api_key", op="s2s vapi"))
            await calls.open()
            self._calls = calls

    async def check(self) -> None:
        """Try the key."""
        await self._opened.check()

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Create a call, and join it; with ``answers`` False what the assistant thinks of by itself is dropped.

        Raises:
            VoiceBackendError: it is refused, or nobody answers.

        """
        del metadata
        calls = self._opened
        call = await self._leases.make(calls.create(greets=answers and not history), calls.see_off)

        def see_off() -> None:
            self._leases.end(calls.see_off(call))

        try:
            socket = await calls.join(call)
            stream = VapiStream(socket, sample_rate=self.sample_rate, answers=answers, on_closed=see_off)
        except BaseException:
            see_off()
            raise
        try:
            await stream.begin(history)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def aclose(self) -> None:
        """Let the last calls end, and close every connection."""
        await self._leases.aclose()
        calls, self._calls = self._calls, None
        if calls is not None:
            await calls.aclose()

    @property
    def _opened(self) -> Calls:
        if self._calls is None:
            raise ConnectionFailed("s2s vapi", "not open")
        return self._calls
