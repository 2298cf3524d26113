"""What sipp's telephones do: each scenario is a list of steps."""

from __future__ import annotations

import sys

from steps import (
    HEARD,
    SECURE,
    answer,
    await_answer,
    await_request,
    label,
    offer,
    pause,
    play,
    request,
    scenario,
    send,
)

SPEECH = "speech.pcap"
"""The capture that a scenario plays once it is through; ``MORE`` is the second."""
MORE = "more.pcap"
_AGAIN_MS = 500
_INVITE = request("INVITE", cseq=1, branch="a", body=offer())
_ACK = request("ACK", cseq=1, branch="b")
_BYE = request("BYE", cseq=9, branch="z")


def _through(invite: str = _INVITE, ack: str = _ACK) -> tuple[str, ...]:
    return (send(invite, again_ms=_AGAIN_MS), *_ringing(), await_answer(200), send(ack))


def _ringing() -> tuple[str, str]:
    return await_answer(100, optional=True), await_answer(180, optional=True)


def _hung_up() -> tuple[str, ...]:
    return send(_BYE, again_ms=_AGAIN_MS), await_answer(200)


def _again(direction: str, *, cseq: int) -> tuple[str, ...]:
    """Offer the call's media anew."""
    invite = request("INVITE", cseq=cseq, branch=f"i{cseq}", body=offer(direction, version=cseq))
    ack = request("ACK", cseq=cseq, branch=f"k{cseq}")
    return send(invite, again_ms=_AGAIN_MS), await_answer(100, optional=True), await_answer(200), send(ack)


def conversation(listens: str = HEARD) -> str:
    """Speak, listen, hang up; ``listens`` is the step in which it listens, here and elsewhere."""
    return scenario("conversation", *_through(), play(SPEECH), listens, *_hung_up())


def hung_up_on() -> str:
    """Speak, and be hung up on."""
    return scenario("hung up on", *_through(), play(SPEECH), await_request("BYE"), answer(200, "OK"))


def keys(lasts_ms: int) -> str:
    """Press keys as INFO: one of each of the two forms that telephones send."""
    relay = request("INFO", cseq=2, branch="r", body="Signal=7\nDuration=160\n", kind="application/dtmf-relay")
    plain = request("INFO", cseq=3, branch="p", body="#", kind="application/dtmf")
    pressed = (send(relay, again_ms=_AGAIN_MS), await_answer(200), send(plain, again_ms=_AGAIN_MS), await_answer(200))
    return scenario("keys", *_through(), *pressed, pause(lasts_ms), *_hung_up())


def hold(held_ms: int, listens: str = HEARD) -> str:
    """Speak, hold the line, take it up again, speak, hang up."""
    held = (*_again("sendonly", cseq=2), pause(held_ms), *_again("sendrecv", cseq=3))
    return scenario("hold", *_through(), play(SPEECH), listens, *held, play(MORE), listens, *_hung_up())


def cancelled() -> str:
    """Hang up while it rings."""
    cancel = request("CANCEL", cseq=1, branch="a")
    confirm = request("ACK", cseq=1, branch="a", within=False)
    return scenario(
        "cancelled",
        send(_INVITE, again_ms=_AGAIN_MS),
        await_answer(100, optional=True),
        await_answer(180),
        send(cancel, again_ms=_AGAIN_MS),
        await_answer(200),
        await_answer(487),
        send(confirm),
    )


def lost_ack(listens: str = HEARD) -> str:
    """Confirm the answer only once it has come four times, speak, hang up."""
    late = (send(_INVITE), *_ringing(), *[await_answer(200)] * 4, send(_ACK))
    return scenario("lost ACK", *late, play(SPEECH), listens, *_hung_up())


def repeated() -> str:
    """Send the INVITE twice at once, again when it was answered, and once more after that; BYE twice."""
    return scenario(
        "repeated",
        send(_INVITE),
        send(_INVITE),
        *_ringing(),
        await_answer(200),
        send(_INVITE),
        await_answer(200),
        send(_ACK),
        pause(500),
        send(_INVITE),
        pause(1_500),
        send(_BYE),
        await_answer(200),
        send(_BYE),
        await_answer(200),
    )


def late_offer(listens: str = HEARD) -> str:
    """Let the far side offer, and answer in the ACK."""
    through = _through(request("INVITE", cseq=1, branch="a"), request("ACK", cseq=1, branch="b", body=offer()))
    return scenario("late offer", *through, play(SPEECH), listens, *_hung_up())


def refused(code: int, *, body: str = "", more: str = "") -> str:
    """Be refused."""
    confirm = request("ACK", cseq=1, branch="a", within=False)
    invite = request("INVITE", cseq=1, branch="a", body=body or offer(), more=more)
    return scenario(
        f"refused {code}",
        send(invite, again_ms=_AGAIN_MS),
        *_ringing(),
        await_answer(code),
        send(confirm),
    )


def secured() -> str:
    """Offer encrypted media, which are refused."""
    return refused(488, body=offer(of=SECURE))


def kept_alive(listens: str = HEARD) -> str:
    """See whether the call is there (OPTIONS), refresh it (UPDATE), offer what is refused; then speak, hang up."""
    options = request("OPTIONS", cseq=2, branch="o")
    update = request("UPDATE", cseq=3, branch="u", more="Session-Expires: 1800;refresher=uac\nSupported: timer")
    invite = request("INVITE", cseq=4, branch="i4", body=offer(version=4, of=SECURE))
    refused_again = (send(invite, again_ms=_AGAIN_MS), await_answer(100, optional=True), await_answer(488))
    return scenario(
        "kept alive",
        *_through(),
        *(send(options, again_ms=_AGAIN_MS), await_answer(200), send(update, again_ms=_AGAIN_MS), await_answer(200)),
        *(*refused_again, send(request("ACK", cseq=4, branch="i4"))),
        *(play(SPEECH), listens),
        *_hung_up(),
    )


def asked(user: str, secret: str, listens: str = HEARD) -> str:
    """Be asked who it is, say so, speak, hang up."""
    through = _through(_proving(user, secret), request("ACK", cseq=2, branch="b"))
    return scenario("asked", *_asked(), *through, play(SPEECH), listens, *_hung_up())


def asked_again(user: str, secret: str) -> str:
    """Be asked who it is, say so, and not be believed."""
    refused = (send(_proving(user, secret), again_ms=_AGAIN_MS), await_answer(100, optional=True), await_answer(401))
    return scenario("asked again", *_asked(), *refused, send(request("ACK", cseq=2, branch="a2", within=False)))


def _asked() -> tuple[str, ...]:
    asked = (send(_INVITE, again_ms=_AGAIN_MS), await_answer(100, optional=True), await_answer(401, asks=True))
    return *asked, send(request("ACK", cseq=1, branch="a", within=False))


def _proving(user: str, secret: str) -> str:
    proof = f"[authentication username={user} password={secret}]"
    return request("INVITE", cseq=2, branch="a2", body=offer(), more=proof, within=False)


def lossy() -> str:
    """Be through for a second, or be told to come back (503, 480), as where the machine is busy.

    Of a BYE whose answer was lost the next gets 481: the call is over just as well.
    """
    return scenario(
        "lossy",
        *(send(_INVITE, again_ms=_AGAIN_MS), *_ringing()),
        *(await_answer(503, optional=True, go_to="away"), await_answer(480, optional=True, go_to="away")),
        *(await_answer(200), send(_ACK), pause(1_000), send(_BYE, again_ms=_AGAIN_MS)),
        await_answer(481, optional=True, go_to="over"),
        await_answer(200, go_to="over"),
        label("away"),
        send(request("ACK", cseq=1, branch="a", within=False)),
        label("over"),
    )


BY_NAME = {
    "conversation": lambda: conversation(pause(3_000)),
    "hung_up_on": hung_up_on,
    "keys": lambda: keys(500),
    "hold": lambda: hold(2_000, pause(2_000)),
    "cancelled": cancelled,
    "lost_ack": lambda: lost_ack(pause(2_000)),
    "repeated": repeated,
    "late_offer": lambda: late_offer(pause(2_000)),
    "required": lambda: refused(420, more="Require: nonsense"),
    "secured": secured,
    "kept_alive": lambda: kept_alive(pause(2_000)),
    "asked": lambda: asked("telephone", "correct-horse", pause(2_000)),
    "lossy": lossy,
}
"""Each with times that suit a person who watches."""

if __name__ == "__main__":
    sys.stdout.write(BY_NAME[sys.argv[1]]())
