"""The gateways' public keys: which is current, for how long each is known, and what is no key."""

import json
from collections.abc import Iterator
from itertools import count

import pytest
from jwcrypto.jwk import JWK
from mintmark.v1 import card_keys_pb2 as pb

from tests.server.rpc.carding import jwk, publish, register
from tests.server.rpc.running import RunningCore, refused, running_core

_NUMBERS = count(1)
HOUR = 3600


@pytest.fixture(scope="module")
def early() -> Iterator[RunningCore]:
    """A core that has not heard of any key."""
    with running_core(clock=True) as running:
        yield running


@pytest.fixture
def core(moving: RunningCore) -> RunningCore:
    """A core on each database that has forgotten the keys of the tests before."""
    moving.advance(2 * HOUR)
    return moving


def kids(core: RunningCore) -> list[str]:
    """The current one first."""
    found = core.admin.card_keys.GetCardKeys(pb.GetCardKeysRequest()).card_keys
    assert [key.current for key in found] == [True, *[False] * (len(found) - 1)][: len(found)]
    return [key.kid for key in found]


def fresh() -> tuple[str, str, str]:
    number = next(_NUMBERS)
    return f"a{number}", f"b{number}", f"c{number}"


def test_nothing_is_known_before_a_gateway_has_told(early: RunningCore) -> None:
    assert kids(early) == []
    with refused("INVALID_ARGUMENT", "CARD_KEY_UNKNOWN"):
        register(early.admin, "KEYS000001", "c-1", "early")
    publish(early, "early")
    assert kids(early) == ["early"]
    register(early.admin, "KEYS000001", "c-1", "early")


def test_any_client_learns_the_public_keys_and_nothing_else(core: RunningCore) -> None:
    first, second, _ = fresh()
    publish(core, first, second)
    reader = core.client(["tokens.read"], ["*"])
    shown = reader.card_keys.GetCardKeys(pb.GetCardKeysRequest()).card_keys
    assert [json.loads(key.jwk_json) for key in shown] == [
        {**jwk(kid), "use": "enc", "alg": "ECDH-ES"} for kid in (first, second)
    ]
    assert all(JWK.from_json(key.jwk_json).has_public and not JWK.from_json(key.jwk_json).has_private for key in shown)


def test_a_key_that_was_followed_never_becomes_current_again(core: RunningCore) -> None:
    """Gateways learn of a rotation at different times, and say so again and again."""
    first, second, third = fresh()
    publish(core, first, second)
    assert kids(core) == [first, second]
    publish(core, second, first)
    assert kids(core) == [second, first]
    for _ in range(2):
        publish(core, first, second)
        assert kids(core) == [second, first]
        publish(core, second, first)
        assert kids(core) == [second, first]
    publish(core, third, second, first)
    publish(core, first, second)
    publish(core, second, first)
    assert kids(core)[0] == third


def test_a_key_that_no_gateway_has_told_of_for_an_hour_is_gone(core: RunningCore) -> None:
    first, second, _ = fresh()
    publish(core, first, second)
    publish(core, second, first)
    core.advance(HOUR - 10)
    publish(core, first)
    assert kids(core) == [second, first]
    core.advance(20)
    assert kids(core) == [first]
    with refused("INVALID_ARGUMENT", "CARD_KEY_UNKNOWN"):
        register(core.admin, "KEYS000002", f"c-{first}", second)
    core.advance(HOUR)
    assert kids(core) == []
    # What was the newest key once is so again when it is back.
    publish(core, second, first)
    assert kids(core)[0] == second


def test_a_kid_belongs_to_one_key(core: RunningCore) -> None:
    first, _, _ = fresh()
    publish(core, first)
    other = {**json.loads(JWK.generate(kty="EC", crv="P-256").export_public()), "kid": first}
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        publish_raw(core, json.dumps({"keys": [other]}))
    assert told.metadata["field"] == "jwks_json"
    publish(core, first)


def publish_raw(core: RunningCore, jwks_json: str) -> None:
    request = pb.PublishCardKeysRequest(jwks_json=jwks_json, hash_key_id="h1")
    core.gateway.card_key_publications.PublishCardKeys(request)


PRIVATE = json.loads(JWK.generate(kty="EC", crv="P-256", kid="private").export_private())
RSA = json.loads(JWK.generate(kty="RSA", size=2048, kid="rsa").export_public())
NAMELESS = {name: text for name, text in jwk("nameless").items() if name != "kid"}
SIGNING = {**jwk("signing"), "use": "sig"}


@pytest.mark.parametrize(
    "stated",
    [
        "{}",
        "[]",
        "nonsense",
        "[" * 5000,
        '{"keys": []}',
        '{"keys": {"kid": "x"}}',
        '{"keys": ["x"]}',
        '{"keys": [[]]}',
        *(
            json.dumps({"keys": [each]})
            for each in (PRIVATE, RSA, NAMELESS, SIGNING, {**jwk("off"), "x": jwk("y")["x"]})
        ),
        json.dumps({"keys": [jwk("twice"), jwk("twice")]}),
        json.dumps({"keys": [jwk(f"many{place}") for place in range(17)]}),
    ],
)
def test_what_is_no_set_of_public_keys_is_refused(core: RunningCore, stated: str) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        publish_raw(core, stated)
    assert told.metadata["field"] == "jwks_json"
    assert PRIVATE["d"] not in told.text
    assert kids(core) == []
