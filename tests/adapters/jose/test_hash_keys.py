"""Keys of card number hashes: what a file of them may hold, and what is hashed."""

import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.jose.hash_keys import HashKeys, new_hash_key
from adapters.jose.keys import KeyInvalid
from tests.adapters.jose.composed import encoded

NEW, OLD = new_hash_key("2026"), new_hash_key("2025")
ISSUERS = st.text(alphabet="AB01_-", min_size=10, max_size=10)
NUMBERS = st.from_regex(r"[0-9]{10,19}", fullmatch=True)


def keys(*entries: Any) -> HashKeys:
    return HashKeys(json.dumps({"keys": entries}))


def test_the_first_is_current() -> None:
    both = keys(NEW, OLD)
    assert (both.current, both.ids) == ("2026", ("2026", "2025"))
    hashes = both.hashes("ISSUER0001", "4111111111111111")
    assert [each.key_id for each in hashes] == ["2026", "2025"]
    assert hashes[0] == both.hash("ISSUER0001", "4111111111111111") == keys(NEW).hash("ISSUER0001", "4111111111111111")
    assert hashes[1] == keys(OLD).hash("ISSUER0001", "4111111111111111")
    assert hashes[0].hash != hashes[1].hash


def test_a_hash_is_hmac_sha_256_of_parts_behind_their_lengths() -> None:
    made = keys({"id": "a", "key": encoded(bytes(range(32)))}).hash("ISSUER0001", "4111111111111111")
    framed = b"\0\0\0\x16mintmark card number 1\0\0\0\x0aISSUER0001\0\0\0\x104111111111111111"
    assert made.hash == hmac.digest(bytes(range(32)), framed, "sha256")


@given(ISSUERS, NUMBERS, ISSUERS, NUMBERS)
def test_other_issuers_and_numbers_have_other_hashes(issuer: str, number: str, other: str, another: str) -> None:
    held = keys(NEW)
    same = (issuer, number) == (other, another)
    assert (held.hash(issuer, number) == held.hash(other, another)) is same
    assert held.hash(issuer + number[:1], number[1:]).hash != held.hash(issuer, number).hash


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([], "0 keys"),
        ([new_hash_key(str(at)) for at in range(17)], "17 keys"),
        ([NEW, {**OLD, "id": "2026"}], "key 2 has the id '2026' of an earlier one"),
        ([NEW, {**NEW, "id": "2025"}], "key 2 is the same as an earlier one"),
        ([{"id": "a"}], "key 1 is not an object of id and key"),
        ([{**NEW, "kty": "oct"}], "key 1 is not an object of id and key"),
        (["a"], "key 1 is not an object of id and key"),
        ([{**NEW, "id": "a b"}], "key 1 has no id"),
        ([{**NEW, "id": ""}], "key 1 has no id"),
        ([{**NEW, "id": 7}], "key 1 has no id"),
        ([{"id": "a", "key": encoded(bytes(31))}], "is not 32 bytes"),
        ([{"id": "a", "key": encoded(bytes(33))}], "is not 32 bytes"),
        ([{"id": "a", "key": encoded(bytes(32)) + "="}], "is not 32 bytes"),
        ([{"id": "a", "key": None}], "is not 32 bytes"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_without_a_key(entries: list[Any], why: str) -> None:
    with pytest.raises(KeyInvalid, match=why) as refused:
        keys(*entries)
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("key"), str):
            assert entry["key"] not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": {}}', '{"keys": [], "keys": []}', "{" * 70_000])
def test_what_is_no_file_of_keys_is_refused(text: str) -> None:
    with pytest.raises(KeyInvalid):
        HashKeys(text)


def test_new_keys_differ_and_are_named_when_nobody_names_them() -> None:
    first, second = new_hash_key(None), new_hash_key(None)
    assert first["id"] != second["id"]
    assert first["key"] != second["key"]
    assert keys(first, second).ids == (first["id"], second["id"])
    with pytest.raises(KeyInvalid):
        new_hash_key("a/b")
    with pytest.raises(KeyInvalid):
        new_hash_key("")


def test_nothing_shows_a_hash() -> None:
    made = keys(NEW).hash("ISSUER0001", "4111111111111111")
    assert "hash=" not in repr(made)
