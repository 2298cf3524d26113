"""Webhooks prove who sent them, and when; whatever else comes is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend.errors import AuthenticationFailed, InvalidFormat, VoiceBackendError
from voicebackend.webhooks import SIGNATURE_HEADER, Event, EventType, sign, verify

AT = 1_790_000_000
SECRET, OTHER = "whsec_first", "whsec_second"
EVENT = Event(
    id="evt_1",
    type=EventType.SESSION_ENDED,
    created_at=1.5,
    tenant="default",
    session_id="0f" * 16,
    data={"state": "ended", "reason": "closed", "user_id": "42"},
)
BODY = EVENT.to_body()


def _headers(*secrets: str, body: bytes = BODY, at: int = AT, name: str = SIGNATURE_HEADER) -> dict[str, str]:
    return {"Content-Type": "application/json", name: sign(body, secrets, at)}


def test_a_signature_is_what_others_compute() -> None:
    """Two vectors, reckoned by openssl: HMAC-SHA256 of time, dot and body, in hex."""
    assert sign(b"{}", ["secret"], 1) == "t=1,v1=" + hmac.new(b"secret", b"1.{}", hashlib.sha256).hexdigest()
    assert sign(b'{"a":1}', ["k"], 1_700_000_000).endswith(VECTOR)


VECTOR = "v1=1b6ad1bc9bf48c52ce01939866d5877c6cc4e87ddad27e16673cb8c4964394a3"
"""``printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac k``."""


@pytest.mark.parametrize("name", [SIGNATURE_HEADER, SIGNATURE_HEADER.lower(), SIGNATURE_HEADER.upper()])
def test_what_was_signed_is_taken(name: str) -> None:
    """Whatever the framework does to headers' names."""
    assert verify(_headers(SECRET, name=name), BODY, SECRET, now=AT) == EVENT


@pytest.mark.parametrize(
    ("signed", "known"),
    [
        ((SECRET,), [SECRET, OTHER]),
        ((SECRET, OTHER), [OTHER]),
        ((SECRET, OTHER), [SECRET]),
        ((OTHER,), [SECRET, OTHER]),
    ],
)
def test_while_a_secret_is_replaced_either_will_do(signed: tuple[str, ...], known: list[str]) -> None:
    """On both sides."""
    assert verify(_headers(*signed), BODY, known, now=AT) == EVENT


@pytest.mark.parametrize("now", [AT - 300, AT, AT + 300])
def test_clocks_may_differ_by_five_minutes(now: float) -> None:
    """Either way."""
    assert verify(_headers(SECRET), BODY, SECRET, now=now) == EVENT


@pytest.mark.parametrize(
    ("headers", "body", "secrets", "now"),
    [
        pytest.param({}, BODY, SECRET, AT, id="no signature"),
        pytest.param(_headers(OTHER), BODY, SECRET, AT, id="another secret"),
        pytest.param(_headers(SECRET), BODY + b" ", SECRET, AT, id="another body"),
        pytest.param(_headers(SECRET), BODY, SECRET, AT + 301, id="too old"),
        pytest.param(_headers(SECRET), BODY, SECRET, AT - 301, id="of the future"),
        pytest.param(_headers(SECRET), BODY, [], AT, id="no secret"),
        pytest.param(_headers(""), BODY, "", AT, id="empty secret"),
        pytest.param(_headers(SECRET, ""), BODY, [SECRET, ""], AT, id="an empty one among secrets"),
        *(
            pytest.param({SIGNATURE_HEADER: bad}, BODY, SECRET, AT, id=f"malformed {number}")
            for number, bad in enumerate(
                [
                    *("", ",", "t=1", "v1=00", "t=,v1=00", f"t={AT},v1=", f"t={AT},t={AT},v1=00", "t=1e9,v1=00"),
                    *(
                        f"t=-{AT},v1=00",
                        f"t={AT},v2=00",
                        f"t={AT},v1=\u00e9",
                        "t=" + "9" * 400 + ",v1=00",
                        "t=\u0661,v1=0",
                    ),
                ]
            )
        ),
    ],
)
def test_what_is_not_proven_is_refused(headers: dict[str, str], body: bytes, secrets: Any, now: float) -> None:
    """By one error, which tells nobody more than that."""
    with pytest.raises(AuthenticationFailed) as caught:
        verify(headers, body, secrets, now=now)
    assert SECRET not in str(caught.value)


def test_a_signature_for_another_second_does_not_hold() -> None:
    """The time is signed too: nobody can make an old request young."""
    _, _, digest = sign(BODY, [SECRET], AT - 10_000).partition(",")
    with pytest.raises(AuthenticationFailed):
        verify({SIGNATURE_HEADER: f"t={AT},{digest}"}, BODY, SECRET, now=AT)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, json.dumps({**json.loads(BODY), "data": 1}).encode()],
    ids=["empty", "list", "null", "nothing", "no UTF-8", "deep", "wrong type"],
)
def test_what_is_genuine_and_no_event_is_told_as_that(body: bytes) -> None:
    """A receiver answers 400 then, not 500."""
    with pytest.raises(InvalidFormat):
        verify(_headers(SECRET, body=body), body, SECRET, now=AT)


def test_a_field_that_a_newer_sender_adds_is_passed_over() -> None:
    """Receivers are older than senders."""
    body = json.dumps({**json.loads(BODY), "more": [1]}).encode()
    assert verify(_headers(SECRET, body=body), body, SECRET, now=AT) == EVENT


@given(header=st.text(max_size=200), body=st.binary(max_size=200))
def test_nothing_that_strangers_send_breaks_a_receiver(header: str, body: bytes) -> None:
    """It is refused, by an error of ours."""
    with pytest.raises(VoiceBackendError):
        verify({SIGNATURE_HEADER: header}, body, SECRET)


def test_a_receiver_needs_the_standard_library_only() -> None:
    """The module runs by itself, beside the one that has our errors, in an interpreter that sees no other package."""
    program = """
import importlib.util, pathlib, sys, types
folder = pathlib.Path(sys.argv[1])
sys.modules["voicebackend"] = types.ModuleType("voicebackend")
for name in ("errors", "webhooks"):
    spec = importlib.util.spec_from_file_location(f"voicebackend.{name}", folder / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
body = b"{}"
try:
    module.verify({module.SIGNATURE_HEADER: module.sign(body, ["s"], 5)}, body, "s", now=5)
except sys.modules["voicebackend.errors"].InvalidFormat:
    print("fine")
"""
    from voicebackend import webhooks

    folder = str(webhooks.__file__).rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, folder], capture_output=True, text=True, check=False
    )
    assert done.stdout == "fine\n", done.stderr
