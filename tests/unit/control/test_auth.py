"""API keys: known by digest, compared in constant time, of one tenant each."""

from __future__ import annotations

import pytest

from control.access.auth import ApiKeys, authenticate, bearer
from voicebackend.errors import AuthenticationFailed

KEYS = ApiKeys({"key-of-acme-0123456789": "acme", "key-of-other-012345678": "other"})


@pytest.mark.parametrize("header", ["Bearer key-of-acme-0123456789", "bearer  key-of-acme-0123456789 "])
async def test_a_key_names_its_tenant_and_never_itself(header: str) -> None:
    """The user id tells keys apart without giving one away."""
    principal = await authenticate(header, KEYS, None, {})
    assert principal.tenant == "acme"
    assert "acme-0123456789" not in principal.user_id
    assert "key-of-acme" not in repr(vars(KEYS))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Token abc", "Bearer " + "x" * 9000])
def test_a_header_without_a_key_is_refused(header: str) -> None:
    """Another scheme, nothing, or far too much."""
    with pytest.raises(AuthenticationFailed):
        bearer(header)


@pytest.mark.parametrize("key", ["key-of-acme-012345678", "KEY-OF-ACME-0123456789", "é", "\udcff", "key"])
def test_only_the_whole_key_will_do(key: str) -> None:
    """No prefix, no other case, no odd characters."""
    with pytest.raises(AuthenticationFailed):
        KEYS.find(key)


def test_without_keys_nobody_gets_in() -> None:
    """An empty list is not an open door."""
    with pytest.raises(AuthenticationFailed):
        ApiKeys({}).find("")
