"""How carriers tell of calls, and how they are answered."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import carriers_peer
import pytest
from process import run

from control.sessions.admission import check_metadata
from control.telephony.carriers.carrier import Carrier, Told
from control.telephony.carriers.plivo import Plivo
from control.telephony.carriers.telnyx import Telnyx
from control.telephony.carriers.twilio import Twilio
from control.telephony.carriers.vonage import Vonage
from voicebackend.errors import InvalidFormat

SID = "CA" + "0123456789abcdef" * 2
UUID = "0a1b2c3d-0a1b-2c3d-4e5f-0123456789ab"
FORMS: dict[str, tuple[Carrier, str, str]] = {
    "twilio": (Twilio(), "CallSid", SID),
    "telnyx": (Telnyx(), "CallSid", "v3:Ab-_9"),
    "plivo": (Plivo(), "CallUUID", UUID),
}
WAITING = {"Pause", "Wait", "Redirect"}
"""Verbs that have a carrier ask again."""


def told(*form: tuple[str, str], body: Any = None) -> Told:
    """Return a webhook that says this."""
    sent = b"" if body is None else json.dumps(body).encode()
    return Told(method="POST", url="https://x/", headers={}, form=form, body=sent)


@pytest.mark.parametrize("name", FORMS)
def test_a_call_is_told_by_a_form(name: str) -> None:
    """Its numbers are international, also where the carrier leaves the plus out."""
    carrier, field, call_id = FORMS[name]
    plus = "" if name == "plivo" else "+"
    call = carrier.incoming(told((field, call_id), ("To", f"{plus}14155559999"), ("From", f"{plus}12025550111")))
    assert (call.call_id, call.called, call.caller) == (call_id, "+14155559999", "+12025550111")


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_was_cut_anew_is_refused(name: str) -> None:
    """Carriers sign names and values in a row: another cut has the same signature, and would be another call."""
    carrier, field, call_id = FORMS[name]
    for bad in ("", call_id + " ", call_id + "\n", call_id + "Calledé", "x" * 200):
        with pytest.raises(InvalidFormat):
            carrier.incoming(told((field, bad)))
    for again in (field, "To", "From"):
        value = call_id if again == field else "+14155559999"
        with pytest.raises(InvalidFormat):
            carrier.incoming(told((field, call_id), (again, value), (again, value)))


@pytest.mark.parametrize("uuid", [None, 7, "", "x", UUID + "0", [UUID]])
def test_a_call_of_vonage_has_a_uuid(uuid: Any) -> None:
    """With or without dashes; anything else is no call."""
    with pytest.raises(InvalidFormat):
        Vonage().incoming(told(body={"uuid": uuid}))
    for good in (UUID, UUID.replace("-", "")):
        call = Vonage().incoming(told(body={"uuid": good, "to": "14155559999", "from": "\ud800"}))
        assert (call.call_id, call.called, call.caller) == (good, "+14155559999", "?")


def test_what_signalling_says_is_short() -> None:
    """However much a caller sends, it is few and short enough to be a session's metadata."""
    headers = [(f"SipHeader_X-{number}", "\u96ea" * 40) for number in range(200)]
    odd = [("SipHeader_", "x"), ("SipHeader_a b", "x"), ("SipHeader_X-Long", "x" * 300), ("SipHeader_X-Lang", "es")]
    call = Twilio().incoming(told(("CallSid", SID), ("From", "\u96ea" * 9000), *odd, *headers))
    assert len(call.headers) == 32
    assert call.headers["x-lang"] == "es"
    assert not {"", "a b", "x-long"} & set(call.headers)
    check_metadata({"said": {"caller": call.caller, "headers": dict(call.headers)}})


def test_telnyx_is_told_the_codec_of_both_ways() -> None:
    """Otherwise it is that of the call's own leg, which we may have no codec for."""
    stream = ElementTree.fromstring(Telnyx().connect("wss://x/s", "t").body).find("Connect/Stream")  # noqa: S314 - ours
    assert stream is not None
    assert stream.attrib == {
        "url": "wss://x/s",
        "codec": "PCMU",
        "bidirectionalMode": "rtp",
        "bidirectionalCodec": "PCMU",
        "bidirectionalSamplingRate": "8000",
    }


@pytest.mark.parametrize("name", FORMS)
def test_a_carrier_that_is_told_to_wait_asks_again(name: str) -> None:
    """A second later, at the address that it is given, whatever stands in that."""
    again = "https://x/call?attempt=1&again=2"
    [wait, redirect] = ElementTree.fromstring(FORMS[name][0].hold(told(), again).body)  # noqa: S314 - ours
    assert wait.attrib == {"length": "1"}
    assert (redirect.tag, redirect.text, redirect.attrib) == ("Redirect", again, {"method": "POST"})


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    "said",
    [
        '"/></Stream></Connect><Dial>+19005550100</Dial><Connect><Stream url="wss://evil.example/',
        "</Parameter><Redirect>https://evil.example/</Redirect>",
        "]]></Stream><Hangup/><![CDATA[",
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;',
        "&e; &#60;Hangup/&#62; &amp;lt; &",
        "<?xml-stylesheet href='https://evil.example/'?><!-- -->",
    ],
    ids=["attribute", "element", "CDATA", "entity", "references", "instruction"],
)
def test_xml_in_a_parameter_stays_a_value(name: str, said: str) -> None:
    """It reads back as it was given, and the document has no verb, entity or comment but ours."""
    carrier = FORMS[name][0]
    connecting, waiting = (
        carrier.connect(f"wss://voice.example.com/s/{said}", said).body,
        carrier.hold(told(), f"https://voice.example.com/c?said={said}").body,
    )
    for document in (connecting, waiting):
        for forbidden in (b"<!", b"<Dial", b"<Hangup", b"]]>", b"&e;", b"<?xml-"):
            assert forbidden not in document
    connected = ElementTree.fromstring(connecting)  # noqa: S314 - ours
    assert {element.tag for element in connected.iter()} <= {"Response", "Connect", "Stream", "Parameter"}
    values = [text for element in connected.iter() for text in (*element.attrib.values(), element.text or "")]
    assert any(said in value for value in values)
    assert {element.tag for element in ElementTree.fromstring(waiting).iter()} <= {"Response", *WAITING}  # noqa: S314
    assert f"https://voice.example.com/c?said={said}" in ElementTree.fromstring(waiting).itertext()  # noqa: S314


def test_vonage_tells_again_what_it_told() -> None:
    """Of its own it tells no more whose call it is; nothing but that is sent back and forth."""
    first = told(body={"uuid": UUID, "to": "14155559999", "from": "12025550111", "conversation_uuid": "CON-1"})
    [wait, notify] = json.loads(Vonage().hold(first, "https://x/call?again=1").body)
    assert wait == {"action": "wait", "timeout": 1}
    assert notify["eventUrl"] == ["https://x/call?again=1"]
    assert set(notify["payload"]) == {"uuid", "to", "from"}
    second = told(body={"payload": notify["payload"], "conversation_uuid": "CON-1"})
    assert Vonage().incoming(second) == Vonage().incoming(first)
    assert Vonage().hold(second, "https://x/call?again=1") == Vonage().hold(first, "https://x/call?again=1")


@pytest.mark.peers
@pytest.mark.timeout(300)
async def test_calls_are_connected_and_refused_in_the_carriers_own_words() -> None:
    """As their packages write them; whatever is in the token."""
    url, token, again = "wss://voice.example.com/s/1", 'a&<"b', "https://voice.example.com/c?a=1&again=2"
    payload = {"uuid": UUID, "to": "14155559999"}
    case = {"url": url, "token": token, "again": again, "payload": payload}
    cases = [{"carrier": way, **case} for way in ("twiml", "plivo_xml", "ncco")]
    twiml, plivo, ncco = json.loads(await run(carriers_peer.python(), "carriers_oracle.py", json.dumps(cases)))
    for carrier, theirs in ((Twilio(), twiml), (Plivo(), plivo)):
        replies = carrier.connect(url, token), carrier.refuse(486), carrier.hold(told(), again)
        assert [canonical(reply.body) for reply in replies] == [canonical(text) for text in theirs]
    [connecting, telling] = ncco
    assert connecting == json.loads(Vonage().connect(url, token).body)
    assert telling == json.loads(Vonage().hold(told(body=payload), again).body)[1:]


def canonical(document: bytes | str) -> str:
    """Return XML in one form, whatever the order of its attributes and the space between its elements."""
    return ElementTree.canonicalize(document if isinstance(document, str) else document.decode(), strip_text=True)
