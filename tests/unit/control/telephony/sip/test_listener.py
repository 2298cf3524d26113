"""The sockets of SIP, on loopback: they outlive what they are sent, and say who cannot be heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import pytest
from sip_exchange import ANSWER, OFFER, PHONE, message
from sip_listener import SOON_S, phone, site
from sip_torture import bad_messages

from control.telephony.sip import sockets
from control.telephony.sip.events import Ended, Invited
from control.telephony.sip.listener import Listener
from control.telephony.sip.settings import SipSettings
from control.telephony.sip.trunks import TrunkAccess
from voicebackend.errors import InvalidConfig


async def test_a_call_comes_by_datagrams_and_is_ended_when_the_listener_closes() -> None:
    """INVITE, 200, ACK, and our BYE."""
    async with site() as running, phone(running.ports["udp"]) as caller:
        caller.send(message("INVITE", branch="1", cseq=1, body=OFFER))
        invited = await running.told()
        assert isinstance(invited, Invited)
        running.listener.ring(invited.call)
        running.listener.accept(invited.call, ANSWER)
        await caller.heard(b"SIP/2.0 200 ")
        caller.send(message("ACK", branch="2", cseq=1, to_tag=invited.call))
        await running.told()
        closing = asyncio.create_task(running.listener.close(), name="close")
        bye = await caller.heard(b"BYE ")
        caller.send(b"SIP/2.0 200 OK" + bye[bye.index(b"\r\n") :])
        await closing
        assert running.agent.calls == 0


async def test_an_answer_that_is_lost_is_sent_again_in_time() -> None:
    """By the listener's own timer."""
    async with site() as running, phone(running.ports["udp"]) as caller:
        caller.send(message("INVITE", branch="1", cseq=1, body=OFFER))
        invited = await running.told()
        assert isinstance(invited, Invited)
        running.listener.accept(invited.call, ANSWER)
        first = await caller.heard(b"SIP/2.0 200 ")
        assert await caller.heard(b"SIP/2.0 200 ") == first
        caller.send(message("BYE", branch="3", cseq=2, to_tag=invited.call))
        assert isinstance(await running.told(), Ended)


async def test_bad_messages_close_no_socket() -> None:
    """It answers after each, as it did before; what raises inside is logged without what was sent."""
    async with site() as running, phone(running.ports["udp"]) as caller:
        for number, (_, data) in enumerate(bad_messages()):
            if data:
                caller.send(data)
            caller.send(message("OPTIONS", branch=f"good{number}", cseq=1, call_id=f"good{number}"))
            while f"Call-ID: good{number}\r\n".encode() not in await caller.heard(b"SIP/2.0 200 "):
                pass
        assert await running.listener.healthy()


async def test_what_raises_inside_closes_no_socket_and_tells_nothing_of_the_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong with one message, the next is served."""
    async with site() as running, phone(running.ports["udp"]) as caller:
        with monkeypatch.context() as broken:
            broken.setattr(running.agent, "handle_sip", lambda *_: 1 / 0)
            for _ in range(100):
                running.listener._take(b"secret of a caller", PHONE)
            caller.send(b"secret of a caller")
            assert not await running.listener.healthy()
        assert await running.listener.healthy()
        assert "secret of a caller" not in caplog.text
        assert 1 <= caplog.text.count("message of SIP failed") <= 10


async def test_an_event_that_is_taken_badly_harms_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged."""
    async with site() as running, phone(running.ports["udp"]) as caller:
        running.on_event = lambda _: exec("raise ZeroDivisionError")  # noqa: S102 - a lambda that raises
        caller.send(message("INVITE", branch="1", cseq=1, body=OFFER))
        await caller.heard(b"SIP/2.0 100 ")
        assert await running.listener.healthy()
        assert "event of SIP failed" in caplog.text


async def test_a_stream_carries_messages_in_any_pieces() -> None:
    """Two in one write, one in many, with line ends that keep it alive between."""
    async with site() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.ports["tcp"])
        options = [message("OPTIONS", branch=f"{n}", cseq=1, call_id=f"c{n}", transport="TCP") for n in range(3)]
        writer.write(options[0] + b"\r\n\r\n" + options[1] + options[2][:50])
        await writer.drain()
        async with asyncio.timeout(SOON_S):
            assert b"Call-ID: c0" in await reader.readuntil(b"\r\n\r\n")
            assert b"Call-ID: c1" in await reader.readuntil(b"\r\n\r\n")
            writer.write(options[2][50:])
            assert b"Call-ID: c2" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()


async def test_a_call_by_stream_says_so_in_its_contact() -> None:
    """So that requests come by the same way."""
    async with site() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.ports["tcp"])
        writer.write(message("INVITE", branch="1", cseq=1, body=OFFER, transport="TCP"))
        invited = await running.told()
        assert isinstance(invited, Invited)
        assert invited.source.transport == "tcp"
        running.listener.accept(invited.call, ANSWER)
        async with asyncio.timeout(SOON_S):
            await reader.readuntil(b"\r\n\r\n")
            accepted = await reader.readuntil(b"\r\n\r\n")
        assert f"Contact: <sip:127.0.0.1:{running.ports['tcp']};transport=tcp>".encode() in accepted
        writer.write(message("BYE", branch="2", cseq=2, to_tag=invited.call, transport="TCP"))
        assert isinstance(await running.told(), Ended)
        writer.close()


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"x" * 20_000, b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n"],
    ids=["HTTP", "no end", "too long"],
)
async def test_a_stream_that_is_none_of_ours_is_closed(data: bytes) -> None:
    """Where the next message begins, nobody could tell."""
    async with site() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.ports["tcp"])
        writer.write(data)
        async with asyncio.timeout(SOON_S):
            with suppress(ConnectionResetError):  # where it left unread what came after
                assert await reader.read() == b""
        writer.close()
        assert await running.listener.healthy()


async def test_a_message_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first byte it has 10 s, whatever comes in between."""
    monkeypatch.setattr(sockets, "READ_S", 0.3)
    async with site() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.ports["tcp"])
        closed = asyncio.create_task(reader.read(), name="closed")
        for byte in message("OPTIONS", branch="1", cseq=1)[:200]:
            if closed.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        async with asyncio.timeout(SOON_S):
            assert await closed == b""
        writer.close()


async def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is closed at once."""
    monkeypatch.setattr(sockets, "MAX_CONNECTIONS", 2)
    async with site() as running:
        opened = [await asyncio.open_connection("127.0.0.1", running.ports["tcp"]) for _ in range(2)]
        for _, writer in opened:
            writer.write(message("OPTIONS", branch="1", cseq=1))
        async with asyncio.timeout(SOON_S):
            for reader, _ in opened:
                await reader.readuntil(b"\r\n\r\n")
            reader, writer = await asyncio.open_connection("127.0.0.1", running.ports["tcp"])
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        for _, other in [*opened, (reader, writer)]:
            other.close()


async def test_a_listener_tries_its_sockets_though_it_is_no_trunk_of_its_own() -> None:
    """A process that runs may have lost a socket: to look at the process would not tell."""
    async with site({"far": TrunkAccess((ip_network("192.0.2.0/24"),))}) as running:
        for _ in range(20):
            assert await running.listener.healthy()
        for datagram in running.listener._datagrams.values():
            datagram.close()
        assert not await running.listener.healthy()


async def test_an_address_that_is_taken_is_named_and_nothing_stays_open() -> None:
    """Before any call could come."""
    async with site() as running:
        place = running.listener.places[1]
        settings = SipSettings.model_validate({"listen": ["udp:127.0.0.1:0", f"tcp:127.0.0.1:{place.port}"]})
        second = Listener(running.agent, settings.listen, lambda _: None)
        with pytest.raises(InvalidConfig, match=r"sip\.listen: cannot listen on tcp:127\.0\.0\.1:"):
            await second.start()
        assert second.places == ()


@pytest.mark.parametrize(
    ("answers", "status"),
    [(b"SIP/2.0 202 Accepted\r\n\r\n", b"202"), (b"", b"405"), (None, b"405"), (ValueError(), b"405")],
)
async def test_the_hook_answers_what_the_user_agent_does_not(answers: Any, status: bytes) -> None:
    """With its own bytes; where it has none, fails or answers something else, 405."""
    asked: list[tuple[bytes, Mapping[str, Any]]] = []

    async def answer(sent: bytes, about: Mapping[str, Any]) -> Any:
        asked.append((sent, about))
        if isinstance(answers, Exception):
            raise answers
        return answers

    async with site(answer=answer) as running, phone(running.ports["udp"]) as caller:
        sent = message("MESSAGE", branch="1", cseq=1, body=b"hello", kind="text/plain")
        caller.send(sent)
        await caller.heard(b"SIP/2.0 " + status)
        assert asked == [(sent, {"trunk": "local", "remote": "127.0.0.1", "transport": "udp"})]


async def test_without_a_hook_nothing_is_asked() -> None:
    """405."""
    async with site() as running, phone(running.ports["udp"]) as caller:
        caller.send(message("REGISTER", branch="1", cseq=1))
        await caller.heard(b"SIP/2.0 405 ")


async def test_a_listener_waits_for_calls_that_never_confirm_only_so_long(caplog: pytest.LogCaptureFixture) -> None:
    """2 s, and says how many there were."""
    caplog.set_level(logging.INFO)
    async with site() as running, phone(running.ports["udp"]) as caller:
        caller.send(message("INVITE", branch="1", cseq=1, body=OFFER))
        invited = await running.told()
        assert isinstance(invited, Invited)
        running.listener.accept(invited.call, ANSWER)
    assert "SIP closes before all calls confirmed" in caplog.text
