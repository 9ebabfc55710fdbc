"""Private keys: only those for ECDH-ES on P-256 are loaded, each refusal says which key and why, none shows a key."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK

from adapters.jose.encryption import JweInvalid
from adapters.jose.keys import KeyInvalid, PrivateKeys, new_key
from tests.adapters.jose.composed import ALICE, BOB, composed, decoded, encoded

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def keys(*jwks: Any) -> PrivateKeys:
    return PrivateKeys(json.dumps({"keys": list(jwks)}))


def bob(**members: Any) -> dict[str, Any]:
    """Bob's key with members set, or taken out by None."""
    return {name: value for name, value in ({**BOB, "kid": "bob.1"} | members).items() if value is not None}


NEW, OLD = new_key("2026.11 new"), new_key("2025.11 old")


def test_the_first_is_current() -> None:
    both = keys(NEW, OLD)
    assert both.current == "2026.11 new"
    assert keys(OLD, NEW).current == "2025.11 old"
    assert both.kids == both.opener().kids == {"2026.11 new", "2025.11 old"}
    assert [each["kid"] for each in both.public_jwks()["keys"]] == ["2026.11 new", "2025.11 old"]


def test_only_public_members_are_published() -> None:
    for each, private in zip(keys(NEW, OLD).public_jwks()["keys"], (NEW, OLD), strict=True):
        assert each.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert each == {name: value for name, value in private.items() if name != "d"}
        assert (each["kty"], each["crv"], each["use"], each["alg"]) == ("EC", "P-256", "enc", "ECDH-ES")
        assert JWK(**each).has_private is False


def test_a_key_is_replaced_without_a_pause() -> None:
    before, between, after = keys(OLD), keys(NEW, OLD), keys(NEW)
    old = before.recipient(before.current).encrypt(b"x")
    new = between.recipient(between.current).encrypt(b"x")
    assert [between.opener().open(each).kid for each in (old, new)] == [OLD["kid"], NEW["kid"]]
    assert after.opener().open(new).plaintext == b"x"
    with pytest.raises(JweInvalid):
        after.opener().open(old)
    with pytest.raises(JweInvalid):
        before.opener().open(new)


def test_public_parts_of_one_key() -> None:
    made = keys(NEW, OLD)
    assert made.recipient(OLD["kid"]).kid == OLD["kid"]
    assert made.opener().open(made.recipient(OLD["kid"]).encrypt(b"x")).kid == OLD["kid"]
    text = made.pem(OLD["kid"])
    assert text.startswith("-----BEGIN PUBLIC KEY-----\n")
    read = JWK.from_pem(text.encode())
    assert (read["x"], read["y"], read.has_private) == (OLD["x"], OLD["y"], False)
    for ask in (made.recipient, made.pem):
        with pytest.raises(KeyInvalid, match=r"no key has the kid 'other': there are '2026\.11 new', '2025\.11 old'"):
            ask("other")


def test_new_keys() -> None:
    made, other = new_key(None), new_key(None)
    assert made["kid"] == keys(made).recipient(made["kid"]).thumbprint != other["kid"]
    assert made["d"] != other["d"]
    assert new_key("€.1")["kid"] == "€.1"
    assert made.keys() == {"kty", "crv", "x", "y", "d", "kid", "use", "alg"}
    assert made["d"] not in repr(keys(made))


def test_every_new_key_loads() -> None:
    """Coordinates that begin with zeros too."""
    for _ in range(10):
        made = [new_key(str(number)) for number in range(16)]
        assert keys(*made).current == "0"


@pytest.mark.parametrize("kid", ["", "a" * 129, "a\tb", "\n", "\x00", "\x7f", "\x85", "\ud800"])
def test_a_kid_that_is_none(kid: str) -> None:
    with pytest.raises(KeyInvalid, match="a kid must be"):
        new_key(kid)
    refused(bob(kid=kid), "key 1 has no kid")


@pytest.mark.parametrize(
    "kid", [".", "a" * 128, "G0D43.TEST.CMS_ENC.ECC.01", "with blanks / and \\ \" '", "ключ", "😀"]
)
def test_a_kid_is_free_text(kid: str) -> None:
    assert keys(bob(kid=kid)).current == kid


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"alg": "ECDH-ES"},
        {"key_ops": ["deriveKey"]},
        {"key_ops": ["deriveBits"], "use": "enc"},
        {"key_ops": ["deriveKey", "deriveBits"]},
        {"ext": True, "x5c": ["AAAA"], "generate": "RSA"},
    ],
)
def test_members_that_are_taken(members: dict[str, Any]) -> None:
    assert keys(bob(**members)).opener().open(composed(composed_header())).plaintext == b"plain"


def composed_header() -> dict[str, Any]:
    return {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "kid": "bob.1",
        "epk": {name: ALICE[name] for name in ("kty", "crv", "x", "y")},
    }


def refused(jwk: Any, said: str, *before: Any) -> None:
    with pytest.raises(KeyInvalid) as caught:
        keys(*before, jwk)
    text = str(caught.value)
    assert said in text
    assert (caught.value.__cause__, len(text) < 400) == (None, True)
    for secret in (BOB["d"], BOB["x"], ALICE["d"]):
        assert secret not in text


P384 = JWK.generate(kty="EC", crv="P-384", kid="bob.1").export(as_dict=True)
X25519 = JWK.generate(kty="OKP", crv="X25519", kid="bob.1").export(as_dict=True)
RSA = JWK.generate(kty="RSA", size=2048, kid="bob.1").export(as_dict=True)


@pytest.mark.parametrize(
    ("jwk", "said"),
    [
        # Not EC, and symmetric.
        (RSA, "key 1 (kid 'bob.1') is not of kty EC"),
        (X25519, "key 1 (kid 'bob.1') is not of kty EC"),
        ({"kty": "oct", "k": BOB["d"], "kid": "bob.1"}, "is not of kty EC"),
        (bob(kty="oct"), "is not of kty EC"),
        (bob(kty=None), "is not of kty EC"),
        # Another curve, and points that are on none.
        (P384, "is not on P-256 (crv)"),
        (bob(crv="P-384"), "is not on P-256 (crv)"),
        (bob(crv="secp256k1"), "is not on P-256 (crv)"),
        (bob(crv=None), "is not on P-256 (crv)"),
        (bob(y=ALICE["y"]), "x and y"),
        (bob(x=encoded(bytes(32)), y=encoded(bytes(32))), "x and y"),
        (bob(x=None), "x and y"),
        (bob(y=None), "x and y"),
        (bob(y=5), "x and y"),
        (bob(x=BOB["x"] + "="), "x and y"),
        (bob(x=encoded(b"\0" + decoded(BOB["x"]))), "x and y"),
        # A private part that is none, or another's.
        (bob(d=None), "no private part (d): give"),
        (bob(d=ALICE["d"]), "does not belong"),
        (bob(d=encoded((ORDER - int.from_bytes(decoded(BOB["d"]), "big")).to_bytes(32, "big"))), "does not belong"),
        (bob(d=encoded(bytes(32))), "in the range of P-256"),
        (bob(d=encoded(ORDER.to_bytes(32, "big"))), "in the range of P-256"),
        (bob(d=encoded(b"\xff" * 32)), "in the range of P-256"),
        (bob(d=encoded(b"\0" + decoded(BOB["d"]))), "in the range of P-256"),
        (bob(d=BOB["d"] + "="), "in the range of P-256"),
        (bob(d=7), "in the range of P-256"),
        # For something else.
        (bob(use="sig"), "(use)"),
        (bob(use=""), "(use)"),
        (bob(use=["enc"]), "(use)"),
        (bob(alg="ES256"), "(alg)"),
        (bob(alg="ECDH-ES+A256KW"), "(alg)"),
        (bob(alg="A256GCM"), "(alg)"),
        (bob(key_ops=["sign", "deriveKey"]), "(key_ops)"),
        (bob(key_ops=["verify", "deriveBits"]), "(key_ops)"),
        (bob(key_ops=["decrypt"]), "(key_ops)"),
        (bob(key_ops=[]), "(key_ops)"),
        (bob(key_ops="deriveKey"), "key_ops that are not"),
        (bob(key_ops=[["deriveKey"]]), "key_ops that are not"),
        # Without a name.
        (bob(kid=None), "key 1 has no kid"),
        (bob(kid=1), "key 1 has no kid"),
        (bob(kid=["bob.1"]), "key 1 has no kid"),
        ([], "key 1 is not a JSON object"),
        ("bob", "key 1 is not a JSON object"),
    ],
    ids=range(42),
)
def test_keys_that_are_refused(jwk: Any, said: str) -> None:
    refused(jwk, said)
    refused(jwk, said.replace("key 1", "key 2"), NEW)


def test_each_kid_once() -> None:
    refused(bob(), "key 3 has the kid 'bob.1' of an earlier one", NEW, {**ALICE, "kid": "bob.1"})


def test_up_to_16() -> None:
    sixteen = [bob(kid=str(number)) for number in range(16)]
    assert len(keys(*sixteen).kids) == 16
    refused(bob(), "there are 17 keys", *sixteen)
    with pytest.raises(KeyInvalid, match="there are 0 keys"):
        keys()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        "{}",
        json.dumps(bob()),
        json.dumps([bob()]),
        '{"keys": {}}',
        '{"keys": null}',
        '{"keys": [], "keys": []}',
        json.dumps({"keys": [bob()]})[:-3] + ', "kid": "bob.2"}]}',
        "[" * 60_000,
        json.dumps({"keys": [bob()]}) + " " * 65_536,
        BOB["d"],
    ],
    ids=range(14),
)
def test_texts_that_are_no_set(text: str) -> None:
    with pytest.raises(KeyInvalid, match="give a JWK Set") as caught:
        PrivateKeys(text)
    assert BOB["d"] not in str(caught.value)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=9) | st.sampled_from(["EC", "P-256", BOB["x"], BOB["d"], "sign"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.text() | JSON.map(lambda value: json.dumps({"keys": value})))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(KeyInvalid):
        PrivateKeys(text)


@given(
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "d", "use", "alg", "key_ops", "kid"]), JSON, min_size=1)
)
def test_any_member_is_taken_or_refused(members: dict[str, Any]) -> None:
    said = ""
    try:
        loaded = keys({**bob(), **members})
    except KeyInvalid as refusal:
        said = str(refusal).replace(repr(members.get("kid")), "")
    else:
        assert loaded.opener().kids == {members.get("kid", "bob.1")}
    assert BOB["d"] not in said
