"""An agent behind a plain webhook: it is told the turn as JSON, and answers with text."""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import hmac
import json
import time
from base64 import b64encode
from collections.abc import AsyncGenerator

import aiohttp

from voicebackend.agents import Turn
from voicebackend.errors import AgentError
from voicebackend.frameworks.endpoint import Endpoint

SIGNATURE, TIMESTAMP = "X-Voicebackend-Signature", "X-Voicebackend-Timestamp"
MAX_JSON = 64 * 1024
"""Bytes of an answer in JSON."""


class WebhookAgent:
    """Posts each turn to a URL. The answer is ``text/plain``, spoken as it comes, or JSON ``{"text": …}``.

    With ``secret_env``, the name of an environment variable, requests are signed: ``X-Voicebackend-Signature`` is the
    hex HMAC-SHA256 of ``<X-Voicebackend-Timestamp>.<body>``; :func:`signature` makes it. ``private`` allows a server in
    our own network, and one without TLS. The connection is closed when the caller interrupts.

    Raises:
        InvalidConfig: the URL may not be asked, or the environment variable is not set.

    """

    def __init__(self, url: str, *, secret_env: str = "", private: bool = False) -> None:
        self._endpoint = Endpoint(url, secret_env=secret_env, private=private)

    def __repr__(self) -> str:
        return "<WebhookAgent>"

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield the answer as it comes; raises AgentError."""
        body = await asyncio.to_thread(_body, turn)
        headers = {"Accept": "text/plain, application/json"}
        if self._endpoint.secret:
            now = str(round(time.time()))
            headers |= {TIMESTAMP: now, SIGNATURE: signature(self._endpoint.secret, now, body)}
        async with self._endpoint.asked(body, headers) as response:
            if response.content_type == "application/json":
                yield await _json_text(response)
                return
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            async for piece in response.content.iter_any():
                if text := decoder.decode(piece):
                    yield text

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        await self._endpoint.aclose()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what ``X-Voicebackend-Signature`` must be; compare it by ``hmac.compare_digest``."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _body(turn: Turn) -> bytes:
    history = [{"role": said.role, "text": said.text, "interrupted": said.interrupted} for said in turn.history]
    about = {
        "session_id": turn.session_id,
        "turn": turn.number,
        "attempt": turn.attempt,
        "user_id": turn.user_id,
        "metadata": dict(turn.metadata),
        "transcript": turn.transcript,
        "history": history,
        "context": list(turn.context),
    }
    if turn.audio:
        about["audio"] = b64encode(turn.audio).decode()
    return json.dumps(about).encode()


async def _json_text(response: aiohttp.ClientResponse) -> str:
    body = b""
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_JSON:
            break
    try:
        text = json.loads(body)["text"] if len(body) <= MAX_JSON else None
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        raise AgentError("agent", f'the agent\'s webhook must answer {{"text": …}}, of at most {MAX_JSON} bytes')
    return text
