"""Whether a webhook comes from its carrier; each carrier's own package is the judge of ours."""

from __future__ import annotations

import json
import random
import string
import time
from base64 import b64encode
from hashlib import sha256
from typing import Any

import carriers_peer
import jwt
import pytest
from process import run

from control.telephony import signatures
from voicebackend.errors import InvalidConfig

TOKEN = "0123456789abcdef0123456789abcdef"
URLS = (
    "https://voice.example.com/v1/telephony/twilio/voice",
    "https://voice.example.com/v1/telephony/plivo/answer?tenant=acme&b=2&a=1%202",
    "https://voice.example.com:443/hook",
)


def form(chance: random.Random) -> list[tuple[str, str]]:
    """Return parameters as carriers send them: some repeat, some are not ASCII, some are empty."""
    names = [chance.choice(("CallSid", "From", "To", "Body", "a", "é")) for _ in range(chance.randrange(6))]
    letters = string.ascii_letters + "+&=ä雪 "
    return [(name, "".join(chance.choices(letters, k=chance.randrange(8)))) for name in names]


@pytest.mark.peers
@pytest.mark.timeout(300)
async def test_signatures_are_those_of_the_carriers() -> None:
    """Sixty requests of each kind, signed or judged by the carrier's package."""
    python = carriers_peer.python()  # before the time is taken: it may be long
    chance = random.Random(5)  # noqa: S311 - test data
    cases: list[dict[str, Any]] = []
    for number in range(60):
        url = URLS[number % 3]
        common = {"token": TOKEN, "url": url, "form": form(chance)}
        cases.append({"carrier": "twilio", "algorithm": chance.choice(("HMAC_SHA1", "HMAC_SHA256")), **common})
        cases.append({"carrier": "plivo", "method": chance.choice(("GET", "POST")), "nonce": str(number), **common})
    now = time.time()
    cases += [
        {"carrier": "telnyx", "seed": "11" * 32, "body": '{"data":1}', "timestamp": str(round(now + shift))}
        for shift in (0, -200, -400)
    ]
    bearer = jwt.encode({"iat": int(now), "payload_hash": sha256(b"{}").hexdigest()}, TOKEN, algorithm="HS256")
    cases.append({"carrier": "vonage", "bearer": bearer, "secret": TOKEN})
    answers = json.loads(await run(python, "carriers_oracle.py", json.dumps(cases)))
    for case, answer in zip(cases, answers, strict=True):
        assert _agrees(case, answer, now), case


def _agrees(case: dict[str, Any], answer: Any, now: float) -> bool:
    pairs = [(name, value) for name, value in case.get("form", ())]
    match case["carrier"]:
        case "twilio":
            settings = f"key=k1,algorithm={case['algorithm']}"
            return signatures.twilio(TOKEN, case["url"], pairs, answer, settings=settings)
        case "plivo":
            signed = f"other,{answer}"
            method, nonce = case["method"], case["nonce"]
            return signatures.plivo(TOKEN, case["url"], pairs, method=method, signatures=signed, nonce=nonce)
        case "telnyx":
            body, stamp = case["body"].encode(), case["timestamp"]
            ours = signatures.telnyx(answer["public"], body, answer["signature"], stamp, now=now)
            return ours is answer["good"]
        case _:
            return answer is True and signatures.vonage(TOKEN, f"Bearer {case['bearer']}", b"{}", now=now)


@pytest.mark.parametrize("signature", ["", "None", "é", "\udcff", "A" * 28, "=" * 500])
def test_what_is_no_signature_is_refused(signature: str) -> None:
    """By every carrier's check, without an exception."""
    assert not signatures.twilio(TOKEN, URLS[0], [], signature)
    assert not signatures.plivo(TOKEN, URLS[0], [], method="POST", signatures=signature, nonce="n")
    assert not signatures.plivo(TOKEN, URLS[0], [], method="POST", signatures=signature, nonce=signature)
    assert not signatures.vonage(TOKEN, f"Bearer {signature}", b"", now=100.0)
    key = b64encode(bytes(32)).decode()
    assert not signatures.telnyx(key, b"", signature, "100", now=100.0)
    assert not signatures.telnyx(key, b"", signature, "1e5", now=100.0)


def test_an_unknown_algorithm_is_refused() -> None:
    """Also one that is weaker than any."""
    assert not signatures.twilio(TOKEN, URLS[0], [], "x", settings="key=k,algorithm=NONE")


def test_a_body_counts_where_the_url_names_its_hash() -> None:
    """A changed body is refused although the URL's signature is good."""
    import hmac

    body = b'{"call":1}'
    url = f"{URLS[0]}?bodySHA256={sha256(body).hexdigest()}"
    good = b64encode(hmac.digest(TOKEN.encode(), url.encode(), "sha1")).decode()
    assert signatures.twilio(TOKEN, url, [], good, body=body)
    assert not signatures.twilio(TOKEN, url, [], good, body=b"{}")


def test_a_key_that_is_none_is_our_setting() -> None:
    """Told as such, and not as a forged request."""
    with pytest.raises(InvalidConfig) as caught:
        signatures.telnyx("no key", b"", "", "1", now=1.0)
    assert caught.value.details["field"] == "public_key"


@pytest.mark.parametrize(("shift", "good"), [(0, True), (-290, True), (290, True), (-310, False), (310, False)])
def test_a_signed_webhook_of_vonage_is_good_for_minutes(shift: int, good: bool) -> None:
    """Before and after: a captured one cannot be sent again for ever."""
    now = time.time()
    bearer = jwt.encode({"iat": int(now) + shift}, TOKEN, algorithm="HS256")
    assert signatures.vonage(TOKEN, f"Bearer {bearer}", b"", now=now) is good


@pytest.mark.parametrize("issued", ["1", None, 1e999, []])
def test_a_time_of_vonage_that_is_none_is_refused(issued: Any) -> None:
    """Although the signature is good."""
    bearer = jwt.encode({"iat": issued}, TOKEN, algorithm="HS256")
    assert not signatures.vonage(TOKEN, bearer, b"", now=1.0)
