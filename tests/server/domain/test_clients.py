"""Clients: what they may be, their secrets, and the scopes that a token gets."""

from dataclasses import replace

import pytest

from server.domain import clients
from server.domain.callers import Reach
from server.domain.clients import Client, ClientSecret, ClientState
from server.domain.refusals import (
    BindingInvalid,
    ClientProtected,
    EtagMismatch,
    Refusal,
    ScopeInvalid,
    SecretsFull,
    SecretTooWeak,
)

NOW = 1_700_000_000_000_000
HOUR = 3600 * 1_000_000


def client(client_id: str = "shop", *scopes: str, reach: Reach | None = None) -> Client:
    return clients.new(client_id, "", scopes or ("tokens.read",), reach or Reach(), NOW)


def secret(number: int) -> ClientSecret:
    return ClientSecret(f"s-{number}", f"hash {number}", NOW)


@pytest.mark.parametrize(
    ("client_id", "scopes", "gateways", "merchants", "refusal"),
    [
        ("shop", ["tokens.read", "events.read"], ["*"], ["m"], None),
        ("shop", ["tokens.read"], [], [], None),
        ("bank", ["d1-notify"], ["g"], ["m"], None),
        ("role.gateway", ["role.gateway"], [], [], None),
        ("shop", ["nonsense"], [], [], ScopeInvalid),
        ("shop", ["role.gateway"], [], [], ScopeInvalid),
        ("role.gateway", ["tokens.read"], [], [], ScopeInvalid),
        ("bank", ["d1-notify"], ["*"], [], BindingInvalid),
        ("bank", ["d1-notify", "tokens.read"], ["g"], [], BindingInvalid),
        ("shop", ["tokens.read"], [], ["m"], BindingInvalid),
    ],
)
def test_what_a_client_can_be(
    client_id: str, scopes: list[str], gateways: list[str], merchants: list[str], refusal: type[Refusal] | None
) -> None:
    reach = Reach(frozenset(gateways), frozenset(merchants))
    if refusal is None:
        made = client(client_id, *scopes, reach=reach)
        assert (made.scopes, made.state, made.reach) == (tuple(sorted(scopes)), ClientState.ACTIVE, reach)
    else:
        with pytest.raises(refusal):
            client(client_id, *scopes, reach=reach)


def test_rotation_keeps_the_old_secret_for_a_while() -> None:
    first = replace(client(), secrets=(secret(1),))
    second = clients.rotate(first, secret(2), HOUR, NOW)
    assert [each.expire_time for each in second.secrets] == [NOW + HOUR, None]
    with pytest.raises(SecretsFull):
        clients.rotate(second, secret(3), HOUR, NOW + HOUR - 1)
    third = clients.rotate(second, secret(3), 10 * HOUR, NOW + HOUR)
    assert [each.secret_id for each in third.secrets] == ["s-2", "s-3"]
    assert [each.secret_id for each in clients.rotate(second, secret(3), 0, NOW).secrets] == ["s-3"]
    assert [each.secret_id for each in second.live_secrets(NOW + HOUR - 1)] == ["s-1", "s-2"]
    assert [each.secret_id for each in second.live_secrets(NOW + HOUR)] == ["s-2"]


def test_a_rotation_never_prolongs_a_secret() -> None:
    ending = replace(secret(1), expire_time=NOW + 5)
    rotated = clients.rotate(replace(client(), secrets=(ending,)), secret(2), HOUR, NOW)
    assert rotated.secrets[0].expire_time == NOW + 5


def test_states() -> None:
    active = client()
    assert clients.with_state(active, ClientState.ACTIVE, NOW) is active
    disabled = clients.with_state(active, ClientState.DISABLED, NOW + 1)
    assert (disabled.state, disabled.revision) == (ClientState.DISABLED, 2)
    assert clients.with_state(disabled, ClientState.ACTIVE, NOW + 2).state is ClientState.ACTIVE
    for house in (client("admin"), client("role.gateway", "role.gateway")):
        with pytest.raises(ClientProtected):
            clients.with_state(house, ClientState.DISABLED, NOW)


def test_the_scopes_that_a_token_gets() -> None:
    internal, partner = client("shop", "tokens.read", "events.read"), client("bank", "d1-notify")
    assert clients.granted(internal, ()) == ("events.read", "tokens.read")
    assert clients.granted(internal, ("tokens.read", "tokens.read")) == ("tokens.read",)
    with pytest.raises(ScopeInvalid):
        clients.granted(internal, ("tokens.read", "tokens.write"))
    for asked in ((), ("d1-notify",), ("anything", "role.gateway")):
        assert clients.granted(partner, asked) == ("d1-notify",)


def test_secrets_that_are_taken_over_are_not_short() -> None:
    clients.check_strength("x" * 16, allow_weak=False)
    clients.check_strength("x", allow_weak=True)
    with pytest.raises(SecretTooWeak):
        clients.check_strength("x" * 15, allow_weak=False)


def test_etags() -> None:
    clients.check_etag(client(), "")
    clients.check_etag(client(), "1")
    with pytest.raises(EtagMismatch):
        clients.check_etag(client(), "2")
