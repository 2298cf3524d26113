"""Steps of a sipp scenario: what a telephone sends, what it waits for, what it plays. Pure: they are XML."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

OFFER = """v=0
o=caller 53655765 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a={direction}"""
"""µ-law and keys (RFC 4733)."""
SECURE = OFFER.replace("RTP/AVP", "RTP/SAVP")
"""The same, encrypted, which we do not do."""


def offer(direction: str = "sendrecv", *, version: int = 1, of: str = OFFER) -> str:
    """Return SDP; every new one of a call has a higher version."""
    return of.format(direction=direction, version=version)


def request(
    method: str,
    *,
    cseq: int,
    branch: str,
    body: str = "",
    more: str = "",
    kind: str = "application/sdp",
    within: bool | None = None,
) -> str:
    """Return a request. ``branch`` is its own within the call; one with that of an earlier request repeats that.

    ``within`` the dialog it goes to the contact that the answer named: all but CANCEL and the first INVITE, unless it
    is said. ``more`` are header lines.
    """
    inside = within if within is not None else method not in {"INVITE", "CANCEL"} or cseq > 1
    lines = [
        f"{method} {'[next_url]' if inside else 'sip:[service]@[remote_ip]:[remote_port]'} SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{branch}",
        "From: <sip:+12025550111@[local_ip]:[local_port]>;tag=t[pid]c[call_number]",
        f"To: <sip:[service]@[remote_ip]:[remote_port]>{'[peer_tag_param]' if inside else ''}",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>",
        "Max-Forwards: 70",
        *([more] if more else []),
        *([f"Content-Type: {kind}"] if body else []),
        "Content-Length: [len]",
    ]
    return "\n".join([*lines, "", body])


def send(message: str, *, again_ms: int = 0) -> str:
    """Send a message; with ``again_ms`` until it is answered, each time after twice as long."""
    retrans = f' retrans="{again_ms}"' if again_ms else ""
    return f"<send{retrans}><![CDATA[\n{message}\n]]></send>"


def await_answer(code: int, *, optional: bool = False, go_to: str = "", asks: bool = False) -> str:
    """Wait for an answer. An optional one may come before the next that is not; one that ``asks`` has a challenge."""
    attributes = {"optional": "true"} if optional else {}
    if asks:
        attributes["auth"] = "true"
    if code == 200:
        attributes["rrs"] = "true"
    if go_to:
        attributes["next"] = go_to
    return f"<recv response={quoteattr(str(code))}{_attributes(attributes)}/>"


def await_request(method: str) -> str:
    """Wait for a request of the far side."""
    return f"<recv request={quoteattr(method)}/>"


HEARD = '<recv request="MESSAGE" timeout="60000"/>'
"""Wait until the test says that it has heard enough (``sipp.tell``)."""


def answer(code: int, reason: str) -> str:
    """Answer the last request."""
    lines = [f"SIP/2.0 {code} {reason}", *(f"[last_{name}:]" for name in ("Via", "From", "To", "Call-ID", "CSeq"))]
    return send("\n".join([*lines, "Content-Length: 0", "", ""]))


def play(file: str) -> str:
    """Begin to send the RTP of a capture file; the scenario goes on meanwhile."""
    return f"<nop><action><exec play_pcap_audio={quoteattr(file)}/></action></nop>"


def pause(ms: int) -> str:
    """Do nothing for a while."""
    return f'<pause milliseconds="{ms}"/>'


def label(name: str) -> str:
    """Mark a place to go to."""
    return f"<label id={quoteattr(name)}/>"


def scenario(name: str, *steps: str) -> str:
    """Return the whole document."""
    body = "\n".join(steps)
    return f'<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name={quoteattr(name)}>\n{body}\n</scenario>\n'


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())
