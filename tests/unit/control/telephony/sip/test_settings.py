"""The section ``sip:`` and SIP trunks: what is wrong is named before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from control.telephony.sip.settings import LISTEN, SipSettings
from control.telephony.switchboard import Switchboard
from voicebackend.errors import InvalidConfig

SIP: dict[str, Any] = {"listen": ["udp:192.0.2.1:5060"]}
TRUNK: dict[str, Any] = {"carrier": "sip", "networks": ["192.0.2.0/24"]}
ROUTES = {
    "version": 1,
    "targets": {"a": {"provider": "mock"}},
    "routes": [{"id": "all", "use": [{"to": [{"target": "a"}]}]}],
}


def switchboard(tmp_path: Path, *, url: str = "http://192.0.2.1:8080", **parts: Any) -> Switchboard:
    """Return what a telephony file with these parts describes."""
    path = tmp_path / "telephony.yaml"
    data = {"trunks": {"pbx": TRUNK}, "sip": SIP, "routes": ROUTES, **parts}
    path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}), encoding="utf-8")
    return Switchboard.of(path, url)


def test_a_sip_trunk_needs_no_more_than_its_networks(tmp_path: Path) -> None:
    """And no address by HTTPS: it sends no webhooks."""
    found = switchboard(tmp_path)
    assert found.sip is not None
    assert [str(network) for network in found.sip.access["pbx"].networks] == ["192.0.2.0/24"]
    assert (found.lines["pbx"].carrier.name, found.lines["pbx"].tenant) == ("sip", "default")
    settings = found.sip.settings
    assert (settings.media_ports.first, settings.media_ports.last) == (20000, 20999)
    assert str(settings.address) == "192.0.2.1"


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """Neither by the trunk nor by what is made of it."""
    trunk = {**TRUNK, "user": "u", "secret": "correct horse"}
    found = switchboard(tmp_path, trunks={"pbx": trunk})
    assert found.sip is not None
    assert found.sip.access["pbx"].secret == "correct horse"
    assert "correct horse" not in repr(found)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"sip": None}, "sip"),
        ({"trunks": {"t": {"carrier": "plivo", "secret": "s"}}, "url": "https://x"}, "sip"),
        ({"trunks": {"pbx": {**TRUNK, "networks": []}}}, "networks"),
        ({"trunks": {"pbx": {**TRUNK, "networks": ["192.0.2.1/24"]}}}, "networks"),
        (
            {"trunks": {"pbx": {**TRUNK, "networks": ["pbx.example.com"]}}},
            r"trunks\.pbx\.sip\.networks\.0: value is not",
        ),
        ({"trunks": {"pbx": {**TRUNK, "networks": ["0.0.0.0/0"]}}}, "everybody"),
        ({"trunks": {"pbx": {**TRUNK, "user": "u"}}}, r"trunks\.pbx\.secret"),
        ({"trunks": {"pbx": {**TRUNK, "secret": "s"}}}, r"trunks\.pbx\.user"),
        ({"trunks": {"pbx": {**TRUNK, "user": 'a"b', "secret": "s"}}}, "user"),
        ({"trunks": {"pbx": {**TRUNK, "port": 5060}}}, "port"),
        ({"sip": {"listen": []}}, "listen"),
        ({"sip": {"listen": ["tls:192.0.2.1:5061"]}}, "listen"),
        ({"sip": {"listen": ["udp:192.0.2.1"]}}, "listen"),
        ({"sip": {"listen": ["udp:192.0.2.1:99999"]}}, "listen"),
        ({"sip": {"listen": ["udp:host.example.com:5060"]}}, r"sip\.listen\.0\.host: value is not"),
        ({"sip": {"listen": ["udp:0.0.0.0:5060"]}}, "public_address"),
        ({"sip": {**SIP, "public_address": "::"}}, "public_address"),
        ({"sip": {**SIP, "public_address": "sip.example.com"}}, "public_address"),
        ({"sip": {**SIP, "media_ports": "20999-20000"}}, "media_ports"),
        ({"sip": {**SIP, "media_ports": "80-90"}}, "media_ports"),
        ({"sip": {**SIP, "media_ports": "many"}}, "media_ports"),
        ({"sip": {**SIP, "max_calls": 0}}, "max_calls"),
        ({"sip": {**SIP, "invites_per_second": 0}}, "invites_per_second"),
        ({"sip": {**SIP, "max_call_s": -1}}, "max_call_s"),
        ({"sip": {**SIP, "extra": 1}}, "extra"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, parts: dict[str, Any], words: str) -> None:
    """By its field; nothing has been started."""
    with pytest.raises(InvalidConfig, match=words):
        switchboard(tmp_path, **parts)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("udp:127.0.0.1:0", [("udp", "127.0.0.1", 0)]),
        ("udp:127.0.0.1:5060, TCP:[::1]:5060", [("udp", "127.0.0.1", 5060), ("tcp", "::1", 5060)]),
    ],
)
def test_the_environment_says_where_a_process_listens(text: str, places: list[tuple[str, str, int]]) -> None:
    """Several processes on a machine share the file."""
    settings = SipSettings.model_validate({**SIP, "max_calls": 7}).with_environment({LISTEN: text})
    assert [(place.transport, str(place.host), place.port) for place in settings.listen] == places
    assert settings.max_calls == 7


def test_a_wrong_variable_is_named() -> None:
    """And not the file."""
    with pytest.raises(InvalidConfig, match=LISTEN):
        SipSettings.model_validate(SIP).with_environment({LISTEN: "everywhere"})
    assert SipSettings.model_validate(SIP).with_environment({}).listen[0].port == 5060
