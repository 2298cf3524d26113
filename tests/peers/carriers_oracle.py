"""Carriers' own packages sign requests, judge what we signed, and make the answers that we make; JSON in, JSON out."""

from __future__ import annotations

import json
import sys


def twilio(case: dict) -> str:
    """Return Twilio's signature."""
    from twilio.request_validator import RequestValidator

    class Form(dict):
        def getall(self, name: str) -> list[str]:
            """Return all values of a name, as the frameworks that Twilio knows do."""
            return [value for key, value in case["form"] if key == name]

    form = Form(case["form"])
    return RequestValidator(case["token"]).compute_signature(case["url"], form, case["algorithm"])


def plivo(case: dict) -> str:
    """Return Plivo's signature."""
    from plivo.utils import signature_v3

    form: dict = {}
    for name, value in case["form"]:
        form.setdefault(name, []).append(value)
    if case["method"] == "GET":
        url = signature_v3.construct_get_url(case["url"], {})
    else:
        url = signature_v3.construct_post_url(case["url"], form)
    return signature_v3.get_signature_v3(case["token"].encode(), url.decode(), case["nonce"].encode()).decode()


def telnyx(case: dict) -> dict:
    """Return a key and Telnyx' own verdict on the signature made with it."""
    import base64

    from nacl.signing import SigningKey
    from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

    key = SigningKey(bytes.fromhex(case["seed"]))
    body, time = case["body"].encode(), case["timestamp"]
    signature = base64.b64encode(key.sign(time.encode() + b"|" + body).signature).decode()
    public = base64.b64encode(bytes(key.verify_key)).decode()
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": time}
    try:
        verify_webhook_signature(case["body"], headers, public)
        good = True
    except WebhookVerificationError:
        good = False
    return {"public": public, "signature": signature, "good": good}


def vonage(case: dict) -> bool:
    """Return Vonage's own verdict on a token that we signed."""
    from vonage_jwt import verify_signature

    return verify_signature(case["bearer"], case["secret"])


def twiml(case: dict) -> list[str]:
    """Return what connects a call to a stream, refuses it, and has it wait, as Twilio's package writes them."""
    from twilio.twiml.voice_response import Connect, Stream, VoiceResponse

    stream, connect, connecting, refusing = Stream(url=case["url"]), Connect(), VoiceResponse(), VoiceResponse()
    holding = VoiceResponse()
    holding.pause(length=1)
    holding.redirect(case["again"], method="POST")
    stream.parameter(name="token", value=case["token"])
    connect.append(stream)
    connecting.append(connect)
    refusing.reject(reason="busy")
    return [str(connecting), str(refusing), str(holding)]


def plivo_xml(case: dict) -> list[str]:
    """Return the same as Plivo's package writes it."""
    from plivo import plivoxml

    settings = {"bidirectional": True, "keepCallAlive": True, "contentType": "audio/x-mulaw;rate=8000"}
    connecting, refusing, holding = (plivoxml.ResponseElement() for _ in range(3))
    connecting.add(plivoxml.StreamElement(case["url"], extraHeaders=f"token={case['token']}", **settings))
    refusing.add(plivoxml.HangupElement(reason="busy"))
    holding.add(plivoxml.WaitElement(length=1))
    holding.add(plivoxml.RedirectElement(case["again"], method="POST"))
    return [connecting.to_string(), refusing.to_string(), holding.to_string()]


def ncco(case: dict) -> list[list[dict]]:
    """Return what connects a call, as Vonage's package makes it, and what tells us of it; it knows no ``wait``.

    It wants a number also where nobody is dialled.
    """
    from vonage_voice.models import Connect, Notify
    from vonage_voice.models.connect_endpoints import WebsocketEndpoint

    rate, headers = "audio/l16;rate=16000", {"token": case["token"]}
    connect = Connect(
        endpoint=[WebsocketEndpoint(uri=case["url"], contentType=rate, headers=headers)], randomFromNumber=True
    )
    connecting = connect.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"randomFromNumber"})
    telling = Notify(payload=case["payload"], eventUrl=[case["again"]], eventMethod="POST")
    return [[connecting], [telling.model_dump(mode="json", by_alias=True, exclude_none=True)]]


WAYS = {
    "twilio": twilio,
    "plivo": plivo,
    "telnyx": telnyx,
    "vonage": vonage,
    "twiml": twiml,
    "plivo_xml": plivo_xml,
    "ncco": ncco,
}
"""By what is asked for as ``carrier``."""

if __name__ == "__main__":
    print(json.dumps([WAYS[case["carrier"]](case) for case in json.loads(sys.argv[1])]))
