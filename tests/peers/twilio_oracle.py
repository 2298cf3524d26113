"""Twilio's own package asks a REST API at some address for what we ask it; JSON in, JSON out."""

from __future__ import annotations

import json
import sys
from urllib.parse import urlsplit


def run(case: dict) -> dict:
    """Create, look up, list, hand over and end a call; return what the package made of the answers."""
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    class Led(TwilioHttpClient):
        def request(self, method, url, *args, **kwargs):  # noqa: ANN001, ANN002, ANN003, ANN202
            return super().request(method, case["url"] + urlsplit(url).path, *args, **kwargs)

    client = Client(case["account"], case["token"], http_client=Led())
    made = client.calls.create(**case["create"])
    listed = client.calls.list(to=case["create"]["to"], from_=case["create"]["from_"], page_size=20)
    client.calls(made.sid).update(twiml=case["twiml"])
    client.calls(made.sid).update(status="completed")
    fetched = client.calls(made.sid).fetch()
    return {"sid": made.sid, "status": fetched.status, "listed": [call.sid for call in listed]}


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
