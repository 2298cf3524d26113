"""A caller that sends anything, by a network that loses and doubles: nothing is left, and nothing answered twice."""

from __future__ import annotations

import re
from collections import defaultdict
from ipaddress import ip_network
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sip_exchange import ANSWER, OFFER, PHONE, TRUNK, Exchange, code, header, message

from control.telephony.sip.events import Asked, Confirmed, Ended, Invited, Outgoing
from control.telephony.sip.trunks import TrunkAccess

calls = st.integers(0, 2)
seconds = st.sampled_from([0.1, 0.6, 3.0, 12.0, 33.0])
KINDS = {
    "INFO": (b"Signal=1", "application/dtmf-relay"),
    "INVITE": (OFFER, "application/sdp"),
    "UPDATE": (OFFER, "application/sdp"),
}


TABLES = [
    {"main": TRUNK},
    {"main": TRUNK},
    {},
    {"moved": TRUNK},
    {"main": TrunkAccess((ip_network("203.0.113.0/24"),))},
]
"""The caller's trunk is there, gone, or has another name or network."""
STRANGER = 403
"""What is told of no trunk at the moment, and may be told otherwise later."""


class Caller(RuleBasedStateMachine):
    """Three calls at once."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange = Exchange(max_calls=3, max_call_s=100, invites_per_second=3)
        self.cseq = 1
        self.offered: dict[str, int] = {}
        self.sent: list[bytes] = []
        self.asked_at: dict[tuple[str, str], float] = {}
        self.finals: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.seen = 0
        self.told: dict[str, list[str]] = defaultdict(list)

    @rule(number=calls, again=st.booleans())
    def invite(self, number: int, again: bool) -> None:
        """Call, for the first time or once more."""
        branch = f"invite{number}" if again else f"invite{number}-{self.cseq}"
        call_id = f"call{number}" if again else f"call{number}-{self.cseq}"
        self._ask("INVITE", branch=branch, cseq=1, call_id=call_id, body=OFFER)

    @rule(which=st.integers(0, 100))
    def double(self, which: int) -> None:
        """Have the network deliver something again, as long as it may."""
        if self.sent:
            self._again(self.sent[which % len(self.sent)])

    @rule(number=calls)
    def talk(self, number: int) -> None:
        """Have a call that is up, if there is room."""
        before = len(self.exchange.invited)
        self.wait(seconds=0.6)
        self.invite(number=number, again=False)
        if len(self.exchange.invited) > before:
            self.command(which=0, command="accept")
            self.ack(which=0)

    @rule(which=st.integers(0, 2))
    def ack(self, which: int) -> None:
        """Confirm an answer; where this rule does not run, the ACK is lost."""
        if self.exchange.invited:
            self._in_call("ACK", which, cseq=self.offered.get(self._invited(which).call, 1))

    @rule(which=st.integers(0, 2), method=st.sampled_from(["INVITE", "INVITE", "UPDATE", "INFO", "OPTIONS", "REFER"]))
    def request(self, which: int, method: str) -> None:
        """Ask something of a call, whatever its state."""
        self._in_call(method, which)

    @rule(which=st.integers(0, 2))
    def bye(self, which: int) -> None:
        """Hang up."""
        self._in_call("BYE", which)

    @rule(which=st.integers(0, 100))
    def cancel(self, which: int) -> None:
        """Cancel some INVITE that was sent."""
        invites = [data for data in self.sent if data.startswith(b"INVITE ")]
        if invites:
            head = invites[which % len(invites)].partition(b"\r\nContact")[0].replace(b"INVITE", b"CANCEL")
            self._again(head + b"\r\nContent-Length: 0\r\n\r\n")

    @rule(
        which=st.integers(0, 2),
        command=st.sampled_from(["ring", "accept", "accept", "answer_again", "refuse", "hang_up"]),
    )
    def command(self, which: int, command: str) -> None:
        """Do something with a call, whatever its state."""
        if self.exchange.invited:
            call = self._invited(which).call
            more: dict[str, Any] = {"accept": (ANSWER,), "answer_again": (ANSWER,), "refuse": (488,)}
            self._count(self.exchange.do(command, call, *more.get(command, ())))

    @rule(seconds=seconds)
    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self._count([one for _, one in self.exchange.wait(seconds)])

    @rule(table=st.sampled_from(TABLES))
    def change(self, table: dict[str, TrunkAccess]) -> None:
        """Have other trunks."""
        self.exchange.agent.renew(table)

    @invariant()
    def no_request_has_two_final_answers(self) -> None:
        """Whatever was sent again."""
        assert all(len(codes) <= 1 for codes in self.finals.values()), dict(self.finals)

    @invariant()
    def a_call_ends_once_and_nothing_is_told_of_it_then(self) -> None:
        """Its events are in order."""
        for event in self.exchange.events[self.seen :]:
            assert not isinstance(event, Asked)
            told = self.told[event.call]
            assert "Ended" not in told
            assert isinstance(event, Invited) == (not told)
            told.append(type(event).__name__)
            if isinstance(event, Confirmed | Ended):
                assert told[0] == "Invited"
        self.seen = len(self.exchange.events)

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        """No more calls than there may be."""
        assert self.exchange.agent.calls <= 3

    def teardown(self) -> None:
        """See that nothing is left once everybody is silent for as long as a call may last, and 64 s."""
        self._count(self.exchange.do("hang_up_all"))
        self.wait(64)
        assert self.exchange.is_at_rest
        self.no_request_has_two_final_answers()

    def _invited(self, which: int) -> Invited:
        """Return a call: one that is there, mostly."""
        there = [one for one in self.exchange.invited if one.call in set(self.exchange.agent._calls)]
        some = there or self.exchange.invited[-1:]
        return some[which % len(some)]

    def _in_call(self, method: str, which: int, cseq: int | None = None) -> None:
        if self.exchange.invited:
            one = self._invited(which)
            if method == "INVITE":
                self.offered[one.call] = self.cseq + 1
            body, kind = KINDS.get(method, (b"", ""))
            self._ask(
                method,
                branch=f"{method}{self.cseq}",
                cseq=cseq,
                call_id=one.call_id,
                to_tag=one.call,
                body=body,
                kind=kind,
            )

    def _ask(self, method: str, *, cseq: int | None, **parts: Any) -> None:
        self.cseq += 1
        data = message(method, cseq=cseq or self.cseq, **parts)
        self._again(data)

    def _again(self, data: bytes) -> None:
        """Send what may have been sent before; after 30 s it would be something new, which no network does."""
        if self.exchange.now - self.asked_at.get(_ids(data), self.exchange.now) < 30:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if data not in self.sent:
            self.sent.append(data)
        self.asked_at.setdefault(_ids(data), self.exchange.now)
        self._count(self.exchange.send(data))

    def _count(self, sent: list[Outgoing]) -> None:
        for one in sent:
            assert one.destination == PHONE
            if code(one) >= 200 and code(one) != STRANGER:
                assert header(one, "To").count("tag=") == 1
                self.finals[_ids(one.data)].add(code(one))


def _ids(data: bytes) -> tuple[str, str]:
    """Return what makes a transaction one: branch and method."""
    text = data.decode()
    branch, method = re.search(r"branch=([^;\r]+)", text), re.search(r"CSeq: \d+ (\w+)", text)
    assert branch is not None
    assert method is not None
    return branch[1], method[1]


Caller.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestCaller = Caller.TestCase
