"""Settings of Vocode: where its server is, and how its answers are told apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from providers.remote.config import RemoteConfig
from voicebackend.durations import Duration, seconds

Url = Annotated[str, Field(pattern=r"^(https?|wss?)://[^\s/]+", max_length=2_000)]

Phrase = Annotated[str, Field(min_length=1, max_length=200)]


class VocodeConfig(RemoteConfig):
    """One server; which agent answers there, its own code says."""

    url: Url | None = Field(default=None, repr=False)
    """Of its websocket, such as ``ws://localhost:3000/conversation``; ``VOCODE_URL`` if not given."""
    api_key: SecretStr | None = None
    """For the gate in front of the server, if there is one, which has none of its own; ``VOCODE_API_KEY`` if not given.
    """
    api_key_parameter: str | None = None
    """The query parameter that the key goes in; without it the key is a bearer token."""
    agent_id: str | None = None
    """Sent as the query parameter ``agent_id``, for servers that tell agents apart by it."""
    max_call_duration: Annotated[Duration, seconds(1, 24 * 3600)] = timedelta(minutes=30)
    """Seconds after which we hang up."""
    sample_rate: Literal[8_000, 16_000, 22_050, 24_000, 44_100, 48_000] = 16_000
    """Hz in which the server is asked to speak."""
    vad: str = "webrtc"
    """The detector that notices the caller's speech, which the server does not tell of."""
    answer_gap: Annotated[Duration, seconds(0.1, 5)] = timedelta(seconds=0.5)
    """Seconds without anything more after a sentence, from which on an answer is over: the server does not say so."""
    goodbyes: Annotated[tuple[Phrase, ...], Field(max_length=32)] = ()
    """Phrases by which the agent ends the call, as its server has them: that, too, it does not say."""
