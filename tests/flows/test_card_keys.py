"""The gateway's keys of issuers' cards over their life: published, rotated while D1 asks, and spoilt on disk."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from mintmark.v1 import card_keys_pb2, card_verifications_pb2, cards_pb2
from prometheus_client import REGISTRY

from adapters.jose.encryption import JweInvalid
from adapters.jose.hash_keys import new_hash_key
from adapters.jose.keys import PrivateKeys, new_key
from server.services.card_chores import CardsWaiting
from tests.adapters.jose.composed import BOB
from tests.flows.card_gateway import (
    CODE,
    EXPIRY,
    HASH_KEY,
    CardGateway,
    Issuer,
    answer,
    card_gateway,
    checked,
    encrypted,
    number,
    write_keys,
)
from tests.flows.gateway_process import gateway_of
from tests.server.rpc import carding
from tests.server.rpc.running import request_id, running_core
from tests.waiting import eventually

FIRST = {**BOB, "kid": "Bob"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[CardGateway]:
    with card_gateway() as running:
        yield running


def kids(gateway: CardGateway) -> list[str]:
    return [key["kid"] for key in gateway.client.get("/.well-known/card-keys.json").json()["keys"]]


def at_rest(gateway: CardGateway, issuer: Issuer, card_id: str, *keys: dict[str, Any]) -> dict[str, Any] | None:
    """What a card's JWE holds, where it opens with one of the keys."""
    asked = card_verifications_pb2.ReadCardCredentialsRequest(
        sender=issuer.account, issuer_id=issuer.issuer_id, card_id=card_id
    )
    read = gateway.core.gateway.card_verifications.ReadCardCredentials(asked)
    try:
        opened = PrivateKeys(json.dumps({"keys": keys})).opener().open(read.encrypted_card)
    except JweInvalid:
        return None
    content: dict[str, Any] = json.loads(opened.plaintext)
    return content


def test_only_the_public_part_is_shown_and_the_core_knows_it(gateway: CardGateway) -> None:
    told = gateway.client.get("/.well-known/card-keys.json")
    public = {name: BOB[name] for name in ("kty", "crv", "x", "y")}
    assert told.json() == {"keys": [public | {"kid": "Bob", "use": "enc", "alg": "ECDH-ES"}]}
    assert (told.headers["content-type"], told.headers["cache-control"]) == ("application/json", "public, max-age=300")
    assert BOB["d"] not in told.text
    known = gateway.core.admin.card_keys.GetCardKeys(card_keys_pb2.GetCardKeysRequest()).card_keys
    assert [(key.kid, key.current, json.loads(key.jwk_json)) for key in known] == [
        ("Bob", True, told.json()["keys"][0])
    ]
    assert gateway.client.post("/.well-known/card-keys.json").status_code == 405


@pytest.fixture
def rotating() -> Iterator[CardGateway]:
    """A gateway of its own: a key that was followed by another never becomes current again."""
    with card_gateway() as running:
        yield running


def test_keys_are_replaced_without_a_pause(rotating: CardGateway) -> None:
    gateway, folder = rotating, rotating.core.settings.data_dir
    issuer = Issuer(gateway)
    second, hash_two = new_key("second"), new_hash_key("hashes-2")
    content = {"pan": number(), "exp": EXPIRY, "cvv": CODE}
    card = issuer.register("card", content)
    question = {"pan": content["pan"], "cvv": CODE}

    def asked() -> Any:
        return issuer.ask(question)

    # The new keys behind the old ones: they can open, and are not used yet.
    write_keys(folder, FIRST, second, hash_keys=(HASH_KEY, hash_two))
    eventually(lambda: kids(gateway) == ["Bob", "second"], 10, "the new key behind the old")
    assert asked() == answer("card")
    early = issuer.register("early", {"pan": number(), "exp": EXPIRY}, {**second, "kid": "second"})
    assert (early.state, early.card_key_id) == (cards_pb2.CARD_STATE_ACTIVE, "Bob")
    # In front: what rests is encrypted and hashed anew, while D1 asks.
    write_keys(folder, second, FIRST, hash_keys=(hash_two, HASH_KEY))
    eventually(lambda: kids(gateway) == ["second", "Bob"], 10, "the new key in front")
    eventually(lambda: asked() and _key_ids(issuer, card, early) == {"second"}, 30, "the rotation")
    late = issuer.register("late", {"pan": number(), "exp": EXPIRY}, {**FIRST})
    assert (late.state, late.card_key_id) == (cards_pb2.CARD_STATE_ACTIVE, "second")
    assert asked() == answer("card")
    eventually(lambda: _former(gateway) == [0, 0], 20, "a rotation that is done")
    # The old ones go.
    write_keys(folder, second, hash_keys=(hash_two,))
    eventually(lambda: kids(gateway) == ["second"], 10, "the old key gone")
    assert asked() == answer("card")
    assert at_rest(gateway, issuer, "card", second) == content
    assert at_rest(gateway, issuer, "card", FIRST) is None


def _former(gateway: CardGateway) -> list[float | None]:
    """How many cards the core says are under former keys, looked at now."""
    assert CardsWaiting(gateway.core.core.cards).wanted() is False
    name = "mintmark_cards_under_former_keys"
    return [REGISTRY.get_sample_value(name, {"use": use}) for use in ("encryption", "hashing")]


def _key_ids(issuer: Issuer, *cards: cards_pb2.Card) -> set[str]:
    return {issuer.read(card.name).card_key_id for card in cards}


def test_a_number_is_taken_under_an_older_hash_key_too(rotating: CardGateway) -> None:
    gateway, folder = rotating, rotating.core.settings.data_dir
    issuer = Issuer(gateway)
    pan = number()
    issuer.register("first", {"pan": pan, "exp": EXPIRY})
    again = issuer.register("again", {"pan": pan, "exp": EXPIRY})
    assert again.rejection == cards_pb2.CARD_REJECTION_CARD_NUMBER_TAKEN
    write_keys(folder, FIRST, hash_keys=(new_hash_key("newer"), HASH_KEY))
    eventually(lambda: gateway.metric("mintmark_card_keys", use="hashing") == 2, 10, "the newer hash key")
    again = issuer.register("again", {"pan": pan, "exp": EXPIRY})
    assert again.rejection == cards_pb2.CARD_REJECTION_CARD_NUMBER_TAKEN
    assert issuer.ask({"pan": pan}) == answer("first")


def test_a_file_that_turns_bad_leaves_the_keys_as_they_are(gateway: CardGateway) -> None:
    issuer = Issuer(gateway)
    content = {"pan": number(), "exp": EXPIRY}
    issuer.register("card", content)
    folder = gateway.core.settings.data_dir
    (folder / "card_keys.json").write_text('{"keys": [{"secret-of-the-file": 1}]}')
    name = "mintmark_card_key_files_refused_total"
    eventually(lambda: gateway.metric(name, use="encryption") == 1, 10, "the refusal")
    assert issuer.ask({"pan": content["pan"]}) == answer("card")
    assert kids(gateway) == ["Bob"]
    write_keys(folder, FIRST)
    log = gateway.log.read_text()
    assert "a file of keys of issuers' cards cannot be used" in log
    assert "secret-of-the-file" not in log
    assert BOB["d"] not in log


def test_a_gateway_without_keys_serves_all_else_until_they_come() -> None:
    class Keyless(CardGateway):
        def settings(self) -> dict[str, str]:
            (self.core.settings.data_dir / "card_keys.json").unlink()
            return {}

    with running_core() as core, gateway_of(core, Keyless) as gateway:
        assert gateway.client.get("/.well-known/card-keys.json").status_code == 404
        assert gateway.client.get("/.well-known/jwks.json").status_code == 200
        public = {name: BOB[name] for name in ("kty", "crv", "x", "y")} | {"kid": "Bob"}
        issuer = Issuer(gateway)
        body = {"encryptedData": encrypted({"pan": "4"}, public), "cardBin": "400000"}
        assert (issuer.verify(body).status_code, issuer.credentials("card").status_code) == (503, 503)
        assert "the gateway has no keys of issuers' cards" in gateway.log.read_text()
        write_keys(core.settings.data_dir, FIRST)
        eventually(lambda: issuer.verify(body).status_code == 200, 10, "the keys")
        keys = core.admin.card_keys
        eventually(lambda: keys.GetCardKeys(card_keys_pb2.GetCardKeysRequest()).card_keys, 10, "the publication")
        assert issuer.register("card", {"pan": number(), "exp": EXPIRY}).state == cards_pb2.CARD_STATE_ACTIVE


def test_what_an_issuer_registers_is_read_strictly(gateway: CardGateway) -> None:
    issuer = Issuer(gateway)
    public = gateway.public()
    pan = number()
    good = {"pan": pan, "exp": EXPIRY}
    unchecked = pan[:-1] + str((int(pan[-1]) + 1) % 10)
    wrong_key = encrypted(good, {**carding.jwk("somebody"), "kid": "Bob"})
    for card_id, content, rejection in (
        ("unreadable", wrong_key, "UNREADABLE"),
        ("no-object", encrypted(b"[]", public), "FIELDS_INVALID"),
        ("twice", encrypted(json.dumps(good).replace("{", '{"exp": "1240", ').encode(), public), "FIELDS_INVALID"),
        ("no-date", encrypted({"pan": pan}, public), "FIELDS_INVALID"),
        ("month-13", encrypted({**good, "exp": "1339"}, public), "FIELDS_INVALID"),
        ("long-name", encrypted({**good, "name": "n" * 129}, public), "FIELDS_INVALID"),
        (
            "check-digit",
            encrypted({**good, "pan": unchecked}, public),
            "CARD_NUMBER_INVALID",
        ),
        ("short", encrypted({**good, "pan": checked("12345678")}, public), "CARD_NUMBER_INVALID"),
    ):
        name = carding.register(gateway.core.admin, issuer.issuer_id, card_id, encrypted_card=content).name
        card = issuer.looked(name)
        told = cards_pb2.CardRejection.Name(card.rejection).removeprefix("CARD_REJECTION_")
        assert (card.state, told) == (cards_pb2.CARD_STATE_REJECTED, rejection), card_id
    for size in (10, 13, 19):
        number_of = checked("".join(str((size * 7 + at) % 10) for at in range(size - 1)))
        card = issuer.register(f"size-{size}", {**good, "pan": number_of})
        assert (card.state, card.bin, card.last_digits) == (
            cards_pb2.CARD_STATE_ACTIVE,
            number_of[: 8 if size > 15 else 6],
            number_of[-4:],
        )


def test_what_the_contract_does_not_know_does_not_rest(gateway: CardGateway) -> None:
    issuer = Issuer(gateway)
    known = {"pan": number(), "exp": EXPIRY, "name": "Ana"}
    card = issuer.register("card", known | {"pin": "1234", "track2": "x", "cvv": None})
    assert card.state == cards_pb2.CARD_STATE_ACTIVE
    issuer.state(tell_credentials_without_security_code=True)
    assert eventually(lambda: _rests(gateway, issuer), 10, "the account at the core") == known


def _rests(gateway: CardGateway, issuer: Issuer) -> dict[str, Any] | None:
    if issuer.credentials("card").status_code != 200:
        return None
    return at_rest(gateway, issuer, "card", FIRST)


def test_replacing_leaves_the_old_where_the_new_is_refused(gateway: CardGateway) -> None:
    issuer = Issuer(gateway)
    first = {"pan": number(), "exp": EXPIRY}
    card = issuer.register("card", first)
    for content, replaced in (({"pan": "1", "exp": EXPIRY}, False), ({"pan": number(), "exp": "0140"}, True)):
        request = cards_pb2.ReplaceCardRequest(
            request_id=request_id(), name=card.name, encrypted_card=encrypted(content, gateway.public())
        )
        gateway.core.admin.cards.ReplaceCard(request)
        looked = eventually(lambda: issuer.looked_at(card.name), 20, "a look")
        assert looked is not None
        assert (looked.replacement_rejection == cards_pb2.CARD_REJECTION_UNSPECIFIED) is replaced
        assert (issuer.ask({"pan": first["pan"]}) == answer("card")) is not replaced
    assert issuer.ask({"pan": content["pan"], "exp": "0140"}) == answer("card")
