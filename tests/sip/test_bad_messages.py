"""Messages that nobody should send, to the running stack: it lives, and the next good call is answered at once."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from probe import HOST, Probe
from sip_site import MOCK, NUMBER, SipSite, sip_site
from sip_torture import bad_messages

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
GOOD_S = 0.5
"""Within which a good call is answered where nothing else runs."""
JUNK, BURST = 3000, 25
EMPTY_S = 40.0
"""Within which nothing is left of calls that were refused and never confirmed, where nothing else runs."""
SHARED = 4
"""Times as long may things take on a machine that has other tests to run."""
REFUSED_OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 0\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SipSite]:
    """Give a deployment that takes calls by SIP, and tells its figures."""
    folder = tmp_path_factory.mktemp("sip")
    control = "metered_control"
    async with sip_site(folder, MOCK, agents="telephone_agents", control=control, invites_per_second=10_000) as running:
        yield running


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_good_call_is_answered_after_every_bad_message(site: SipSite, transport: str) -> None:
    """What kills other makers' servers, one after the other; the process is the same at the end."""
    process = site.running.processes["control"]
    pid, took_s = process.pid, dict[str, float]()
    async with Probe.of((HOST, site.port), NUMBER) as probe:
        for name, message in bad_messages():
            await asyncio.to_thread(_send, transport, site.port, message)
            took_s[name] = max(await probe.lives(), await probe.call())
    assert len(took_s) >= 70
    assert (process.pid, process.returncode) == (pid, None)
    slow = {name: s for name, s in took_s.items() if s > SHARED * GOOD_S}
    assert slow == {}
    print(f"{transport}: the slowest good call took {max(took_s.values()) * 1000:.0f} ms")  # noqa: T201 - for -s


async def test_nothing_is_left_of_calls_that_nobody_confirms(site: SipSite) -> None:
    """3,000 INVITEs are refused, and no ACK comes: a good call is answered meanwhile, and all is forgotten in time."""
    async with Probe.of((HOST, site.port), NUMBER) as probe:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooder:
            flooder.bind((HOST, 0))
            for number in range(JUNK):
                flooder.sendto(_junk(number, flooder.getsockname()[1], site.port), (HOST, site.port))
                if not number % BURST:
                    await probe.lives()  # else the kernel would drop most of them, and we would hear of none
            sent = time.monotonic()
            assert await probe.call() < SHARED * GOOD_S
            await _until(site, "transactions", lambda value: value > JUNK / 2, sent + 5 * SHARED)
            await _until(site, "transactions", lambda value: value == 0, sent + SHARED * EMPTY_S)
            await _until(site, "calls", lambda value: value == 0, sent + SHARED * EMPTY_S)
            print(f"nothing was left {time.monotonic() - sent:.0f} s after the last of them")  # noqa: T201 - for -s
        assert await probe.call() < SHARED * GOOD_S


def _send(transport: str, port: int, message: bytes) -> None:
    """Send a message from a socket of its own, and see whether anything comes back within a moment: nothing need."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sender:
        sender.settimeout(1)
        sender.connect((HOST, port))
        try:
            sender.sendall(message)
            sender.settimeout(0.02)
            sender.recv(65_536)
        except OSError:
            return  # too long for a datagram, closed, or silent: the good call is what counts


def _junk(number: int, port: int, target: int) -> bytes:
    lines = [
        f"INVITE sip:{NUMBER}@{HOST}:{target} SIP/2.0",
        f"Via: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bKjunk{number}",
        f"From: <sip:junk@{HOST}>;tag=j{number}",
        f"To: <sip:{NUMBER}@{HOST}>",
        f"Call-ID: junk-{number}",
        "CSeq: 1 INVITE",
        f"Contact: <sip:junk@{HOST}:{port}>",
        "Max-Forwards: 70",
        "Content-Type: application/sdp",
        f"Content-Length: {len(REFUSED_OFFER)}",
    ]
    return "\r\n".join([*lines, "", REFUSED_OFFER]).encode()


async def _until(site: SipSite, what: str, holds: Callable[[float], bool], deadline: float) -> None:
    """Return once the last figure of this name is as wanted."""
    value = None
    while time.monotonic() < deadline:
        value = _figure(site, what)
        if value is not None and holds(value):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"sip.{what} is {value}")


def _figure(site: SipSite, what: str) -> float | None:
    for who, line in reversed(site.running.log):
        if who == "control" and (found := re.search(rf"metric backend\.sip\.{what} (\S+)", line)):
            return float(found[1])
    return None
