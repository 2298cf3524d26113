"""What a deployment says of telephony: what is wrong with it is told before anything is started."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from control.telephony.switchboard import Switchboard
from voicebackend.errors import InvalidConfig

KEY = b64encode(bytes(32)).decode()
ROUTES: dict[str, Any] = {
    "version": 1,
    "targets": {"a": {"provider": "mock"}},
    "routes": [{"id": "all", "use": [{"to": [{"target": "a"}]}]}],
}
SECRET = "s3cret"
URL = "https://voice.example.com"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the settings' file."""
    return tmp_path / "telephony.yaml"


def loaded(path: Path, trunks: dict[str, Any], routes: dict[str, Any] = ROUTES, url: str = URL) -> Switchboard:
    """Return the switchboard of these settings."""
    path.write_text(yaml.safe_dump({"trunks": trunks, "routes": routes}))
    return Switchboard.of(path, url)


def refused(path: Path, trunks: dict[str, Any], routes: dict[str, Any] = ROUTES, url: str = URL) -> Any:
    """Return the field that is wrong with these settings; no secret is told."""
    with pytest.raises(InvalidConfig) as caught:
        loaded(path, trunks, routes, url)
    assert "s3cret" not in str(caught.value)
    return caught.value.details["field"]


def trunk(carrier: str, tenant: str = "default", *, secret: str = SECRET) -> dict[str, str]:
    """Return a trunk."""
    return {"carrier": carrier, "tenant": tenant, "secret": secret}


@pytest.mark.parametrize(
    ("url", "good"),
    [
        (URL, True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://voice.example.com", False),
        ("http://0.0.0.0:8080", False),
    ],
)
def test_carriers_reach_us_by_https(path: Path, url: str, good: bool) -> None:
    """Or not at all: only the machine itself may go without."""
    if good:
        assert loaded(path, {"a": trunk("twilio")}, url=url).lines["a"].tenant == "default"
    else:
        assert refused(path, {"a": trunk("twilio")}, url=url) == "VOICEBACKEND_PUBLIC_URL"


@pytest.mark.parametrize(("carrier", "secret"), [("telnyx", KEY), ("vonage", "s3cret")])
def test_tenants_do_not_share_a_secret_that_is_good_at_any_address(path: Path, carrier: str, secret: str) -> None:
    """A webhook for one would be good for the other; trunks of one tenant may."""
    ours, theirs = trunk(carrier, "a", secret=secret), trunk(carrier, "b", secret=secret)
    assert refused(path, {"one": ours, "two": theirs}) == "trunks.two.secret"
    assert len(loaded(path, {"one": ours, "two": ours}).lines) == 2
    assert len(loaded(path, {"one": trunk("twilio", "a"), "two": trunk("twilio", "b")}).lines) == 2


def test_a_public_key_that_is_none_is_told_at_the_start(path: Path) -> None:
    """And not by every webhook."""
    assert refused(path, {"main": trunk("telnyx")}) == "trunks.main.secret"


def test_a_route_is_for_a_trunk_that_is_there(path: Path) -> None:
    """A name that is misspelt would match no call."""
    routes = {**ROUTES, "routes": [{**ROUTES["routes"][0], "match": {"trunk": "mian"}}]}
    assert refused(path, {"main": trunk("twilio")}, routes) == "routes"
    assert loaded(path, {"mian": trunk("twilio")}, routes).lines
