"""What a gateway says of card data that is registered."""

import json
from pathlib import Path
from typing import Any

import pytest
from mintmark.v1 import card_fingerprints_pb2 as pb
from prometheus_client import CollectorRegistry

from adapters.inbound.card_fingerprints import Skipped, record
from adapters.inbound.card_keys import CardKeys, Held
from adapters.inbound.card_metrics import CardMetrics
from adapters.jose import key_files
from adapters.jose.encryption import Recipient
from adapters.jose.hash_keys import HashKeys, new_hash_key
from adapters.jose.keys import PrivateKeys, new_key
from adapters.settings import Settings

NEW, OLD, FOREIGN = new_key("new"), new_key("old"), new_key("foreign")
HASHES = json.dumps({"keys": [new_hash_key("h-new"), new_hash_key("h-old")]})
CARD = {"pan": "4111111111111111", "exp": "1230", "name": "Ana"}
ISSUER = "ISSUER0001"


@pytest.fixture
def held(tmp_path: Path) -> Held:
    key_files.write(tmp_path / "card_keys.json", json.dumps({"keys": [NEW, OLD]}))
    key_files.write(tmp_path / "card_number_hash_keys.json", HASHES)
    return CardKeys(Settings(data_dir=tmp_path), CardMetrics(CollectorRegistry())).needed()


def recipient(key: dict[str, str], kid: str | None = None) -> Recipient:
    return Recipient.from_jwk(json.dumps({name: key[name] for name in ("kty", "crv", "x", "y")}), kid or key["kid"])


def task(content: Any, key: dict[str, str] = NEW, **more: Any) -> pb.CardFingerprintTask:
    plaintext = content if isinstance(content, bytes) else json.dumps(content).encode()
    compact = recipient(key).encrypt(plaintext)
    return pb.CardFingerprintTask(
        card=f"issuers/{ISSUER}/cards/c", issuer_id=ISSUER, generation=3, encrypted_card=compact, **more
    )


def test_what_may_be_known_of_a_card(held: Held) -> None:
    seen = record(task(CARD), held)
    hashes = HashKeys(HASHES).hashes(ISSUER, CARD["pan"])
    assert (seen.card, seen.generation) == (f"issuers/{ISSUER}/cards/c", 3)
    assert seen.fingerprint == pb.CardFingerprint(
        hash=pb.CardNumberHash(hash_key_id="h-new", hash=hashes[0].hash),
        former_hashes=[pb.CardNumberHash(hash_key_id="h-old", hash=hashes[1].hash)],
        bin="41111111",
        last_digits="1111",
        expiry="1230",
    )
    told = seen.SerializeToString()
    assert CARD["pan"].encode() not in told
    assert b"Ana" not in told


def test_card_data_for_an_older_key_is_encrypted_anew(held: Held) -> None:
    for rotation in (False, True):
        seen = record(task(CARD, OLD, key_rotation=rotation), held)
        opened = PrivateKeys(json.dumps({"keys": [NEW]})).opener().open(seen.fingerprint.encrypted_card)
        assert json.loads(opened.plaintext) == CARD


def test_members_that_nobody_knows_are_dropped(held: Held) -> None:
    seen = record(task(CARD | {"pin": "1234"}), held)
    opened = PrivateKeys(json.dumps({"keys": [NEW]})).opener().open(seen.fingerprint.encrypted_card)
    assert json.loads(opened.plaintext) == CARD


def test_a_code_is_taken_only_where_codes_are_stored(held: Held) -> None:
    with_code = CARD | {"cvv": "123"}
    refused = record(task(with_code), held)
    assert refused.refusal == pb.CARD_FINGERPRINT_REFUSAL_SECURITY_CODE_NOT_ALLOWED
    assert record(task(with_code, store_security_codes=True), held).fingerprint.has_security_code
    # A rotation only changes keys.
    assert record(task(with_code, key_rotation=True), held).fingerprint.has_security_code


@pytest.mark.parametrize("store", [False, True])
def test_what_cannot_be_read_is_refused(held: Held, store: bool) -> None:
    damaged = task(CARD, store_security_codes=store)
    rest, _, tag = damaged.encrypted_card.rpartition(".")
    damaged.encrypted_card = f"{rest}.{'B' if tag[0] == 'A' else 'A'}{tag[1:]}"
    assert record(damaged, held).refusal == pb.CARD_FINGERPRINT_REFUSAL_UNREADABLE
    of_another = task(CARD, store_security_codes=store)
    of_another.encrypted_card = recipient(FOREIGN, "new").encrypt(json.dumps(CARD).encode())
    assert record(of_another, held).refusal == pb.CARD_FINGERPRINT_REFUSAL_UNREADABLE
    assert record(task(b"[]"), held).refusal == pb.CARD_FINGERPRINT_REFUSAL_FIELDS_INVALID
    assert record(task({**CARD, "pan": "1"}), held).refusal == pb.CARD_FINGERPRINT_REFUSAL_CARD_NUMBER_INVALID


def test_what_is_for_a_key_that_is_not_held_is_left_to_others(held: Held) -> None:
    """A refusal would erase it."""
    with pytest.raises(Skipped):
        record(task(CARD, FOREIGN), held)
