"""Agents behind HTTP: what is sent, what is refused, what a bad server does to them."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from control.agents.runner import texts
from voicebackend.agents import HistoryEntry, Turn
from voicebackend.errors import AgentError, InvalidConfig
from voicebackend.frameworks import ChatCompletions, WebhookAgent
from voicebackend.frameworks.webhook import SIGNATURE, TIMESTAMP, signature

TURN = Turn(
    session_id="s",
    number=1,
    transcript="Where is it?",
    history=(HistoryEntry(role="agent", text="Hello.", turn=0, interrupted=True),),
    user_id="ada",
    metadata={"order": 7},
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """Give the URL of a server that answers every POST."""
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def answer(agent: ChatCompletions | WebhookAgent, turn: Turn = TURN) -> str:
    """Return what an agent says, and close its connections."""
    try:
        return "".join([text async for text in texts(agent, turn)])
    finally:
        await agent.aclose()


async def test_chat_completions_are_asked_as_the_api_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model, instructions first, options, and the key of the environment."""
    monkeypatch.setenv("TEST_AGENT_KEY", "k-1")
    asked: list[tuple[str, str, dict[str, object]]] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers["Authorization"], await request.json()))
        lines = [{"choices": [{"delta": {"role": "assistant"}}]}, {"choices": [{"delta": {"content": "Ön it"}}]}]
        text = "".join(f"data: {json.dumps(line, ensure_ascii=False)}\r\n\r\n" for line in lines)
        return web.Response(text=f': comment\n\n{text}data: {{"choices": []}}\n\ndata: [DONE]\n\n')

    async with served(handler) as url:
        agent = ChatCompletions(
            url, model="m", api_key_env="TEST_AGENT_KEY", instructions="Be brief.", options={"seed": 1}, private=True
        )
        assert await answer(agent) == "Ön it"
    told = [{"role": "system", "content": "Be brief."}, {"role": "assistant", "content": "Hello."}]
    told.append({"role": "user", "content": "Where is it?"})
    body = {"model": "m", "messages": told, "stream": True, "seed": 1}
    assert asked == [("/chat/completions", "Bearer k-1", body)]


async def test_a_webhook_is_told_the_turn_and_can_know_it_is_from_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed over time and body; an answer in JSON is one text."""
    monkeypatch.setenv("TEST_AGENT_KEY", "k-2")
    asked: list[dict[str, object]] = []

    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        expected = signature("k-2", request.headers[TIMESTAMP], body)
        assert hmac.compare_digest(request.headers[SIGNATURE], expected)
        asked.append(json.loads(body))
        return web.json_response({"text": "On its way."})

    async with served(handler) as url:
        assert await answer(WebhookAgent(url, secret_env="TEST_AGENT_KEY", private=True)) == "On its way."
    [told] = asked
    assert told["history"] == [{"role": "agent", "text": "Hello.", "interrupted": True}]
    assert (told["session_id"], told["turn"], told["user_id"]) == ("s", 1, "ada")
    assert (told["transcript"], told["metadata"]) == ("Where is it?", {"order": 7})


def _says(text: str, **options: object) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        del request
        return web.Response(text=text, **options)  # type: ignore[arg-type]

    return handler


async def _redirects(request: web.Request) -> web.Response:
    raise web.HTTPTemporaryRedirect("/elsewhere")


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (_says("", status=503), "status 503"),
        (_redirects, "status 307"),
        (_says("data: what?\n\n"), "no chunk of a completion"),
        (_says("data: [1]\n\n"), "no chunk of a completion"),
        (_says('data: {"error": {"message": "the caller said so"}}\n\n'), "broke off"),
        (_says("data: " + "x" * 100_000), "a line of the agent's answer"),
    ],
    ids=["status", "redirect", "not JSON", "not an object", "error", "long line"],
)
async def test_what_a_server_does_wrong_is_an_agent_error(handler: Handler, message: str) -> None:
    """Without its words."""
    async with served(handler) as url:
        with pytest.raises(AgentError, match=message) as caught:
            await answer(ChatCompletions(url, model="m", private=True))
    assert "said so" not in str(caught.value)


@pytest.mark.parametrize("body", ["[]", '{"text": 1}', "{", '{"text": "' + "x" * 70_000 + '"}'])
async def test_a_webhook_s_json_must_have_a_text(body: str) -> None:
    """Anything else is an error with what is wanted."""
    async with served(_says(body, content_type="application/json")) as url:
        with pytest.raises(AgentError, match="must answer"):
            await answer(WebhookAgent(url, private=True))


async def test_a_server_that_is_not_there_is_an_agent_error() -> None:
    """With the class of what went wrong."""
    async with served(_says("")) as url:
        gone = url
    with pytest.raises(AgentError, match="endpoint failed: ClientConnectorError"):
        await answer(WebhookAgent(gone, private=True))


async def test_a_name_of_our_own_network_is_not_asked() -> None:
    """Even where the URL looks public."""
    with pytest.raises(AgentError, match="endpoint failed"):
        await answer(WebhookAgent("https://localhost:9/turn"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WebhookAgent("http://10.0.0.1/"), "private=True"),
        (lambda: ChatCompletions("https://127.0.0.1/v1", model="m"), "private=True"),
        (lambda: ChatCompletions("https://llm.example", model="m", api_key_env="NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
    ],
)
def test_an_agent_that_cannot_be_asked_is_refused_when_it_is_made(make: Callable[[], object], message: str) -> None:
    """Before any call."""
    with pytest.raises(InvalidConfig, match=message):
        make()
