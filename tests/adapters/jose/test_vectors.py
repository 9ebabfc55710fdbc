"""Public vectors: Wycheproof's JWEs, JWKs and P-256 points, the JOSE cookbook, RFC 7518 appendix C, the partner's."""

import json
from pathlib import Path
from typing import Any

import pytest
from jwcrypto.jwk import JWK

from adapters.jose.compact_jwe import read
from adapters.jose.encryption import JweInvalid, Recipient, looks_encrypted_for
from adapters.jose.keys import KeyInvalid, PrivateKeys
from tests.adapters.jose.composed import ALICE, BOB, HEADER, agreed, composed, decoded, derived, encoded
from tests.vectors import contract_example, vector_file, vector_json

OPENS = 78


def cases(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each case of a Wycheproof file, with its group."""
    groups = vector_json(f"wycheproof/{name}.json")["testGroups"]
    return [(group, case) for group in groups for case in group["tests"]]


def keys(jwk: dict[str, Any], kid: str) -> PrivateKeys:
    """A private key, whatever it says it is for."""
    members = {name: jwk[name] for name in ("kty", "crv", "x", "y", "d")}
    return PrivateKeys(json.dumps({"keys": [{**members, "kid": kid}]}))


def test_of_wycheproofs_jwes_only_one_is_in_the_profile() -> None:
    seen = cases("json_web_encryption_test")
    assert len(seen) == 139
    for group, case in seen:
        if case["tcId"] == OPENS:
            assert read(case["jwe"]).decrypted(JWK(**group["private"])) == bytes.fromhex(case["pt"])
            continue
        with pytest.raises(ValueError, match=r"."):
            read(case["jwe"])


def test_none_of_wycheproofs_jwes_is_opened_as_it_is() -> None:
    """The one of the profile names no key, and a key is chosen by its name alone."""
    for group, case in cases("json_web_encryption_test"):
        jwk = group["private"] if group["private"].get("crv") == "P-256" else BOB
        opener = keys(jwk, jwk.get("kid", "Bob")).opener()
        with pytest.raises(JweInvalid):
            opener.open(case["jwe"])
        with pytest.raises(JweInvalid):
            looks_encrypted_for(case["jwe"])


def test_wycheproofs_one_opens_under_a_name() -> None:
    (group, case) = next((group, case) for group, case in cases("json_web_encryption_test") if case["tcId"] == OPENS)
    header = json.loads(decoded(case["jwe"].partition(".")[0]))
    named = composed(header | {"kid": "a.name"}, b"foo", shared=agreed(group["private"], header["epk"]))
    assert keys(group["private"], "a.name").opener().open(named).plaintext == bytes.fromhex(case["pt"])


def test_wycheproofs_points() -> None:
    """Each as the ephemeral key of a JWE that is sealed with the shared secret that the vector gives."""
    seen = cases("ecdh_secp256r1_webcrypto_test")
    assert len(seen) == 353
    opened = 0
    for _, case in seen:
        public = {name: case["public"][name] for name in ("kty", "crv", "x", "y")}
        compact = composed(HEADER | {"epk": public}, shared=bytes.fromhex(case["shared"]))
        opener = keys(case["private"], "Bob").opener()
        if case["result"] == "valid":
            assert opener.open(compact).plaintext == b"plain"
            assert Recipient.from_jwk(json.dumps(public), None).kid == JWK(**public).thumbprint()
            opened += 1
            continue
        for refuses in (opener.open, looks_encrypted_for):
            with pytest.raises(JweInvalid):
                refuses(compact)
        with pytest.raises(KeyInvalid):
            Recipient.from_jwk(json.dumps(public), None)
    assert opened == 330


def test_wycheproofs_keys_are_for_signatures_or_for_other_algorithms() -> None:
    seen = cases("json_web_key_test")
    assert len(seen) == 26
    for group, _ in seen:
        with pytest.raises(KeyInvalid):
            PrivateKeys(json.dumps(group["private"]))
        for public in group.get("public", {"keys": []})["keys"]:
            with pytest.raises(KeyInvalid):
                Recipient.from_jwk(json.dumps(public), None)


@pytest.mark.parametrize(
    ("comment", "said"),
    [("invalid_use", None), ("invalid_point", "x and y"), ("wrong_curve", "crv"), ("wrong_kty", "kty")],
)
def test_wycheproofs_modified_keys(comment: str, said: str | None) -> None:
    """As if they were for encryption: what is left is what was modified."""
    ((group, _),) = [each for each in cases("json_web_key_test") if each[0]["comment"] == comment]
    (jwk,) = group["private"]["keys"]
    text = json.dumps({"keys": [{name: value for name, value in jwk.items() if name not in ("alg", "use")}]})
    if said is None:
        assert PrivateKeys(text).current == jwk["kid"]
        return
    with pytest.raises(KeyInvalid, match=said):
        PrivateKeys(text)


def cookbook(kind: str) -> list[Path]:
    first = {"jwe": "5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2", "jwk": "3_1.ec_public_key"}[kind]
    return sorted(vector_file(f"rfc7520/{kind}/{first}.json").parent.glob("*.json"))


def test_the_cookbooks_jwes_are_outside_the_profile() -> None:
    compacts = [
        output["compact"]
        for path in cookbook("jwe")
        if "compact" in (output := json.loads(path.read_text(encoding="utf-8"))["output"])
    ]
    assert len(compacts) == 9
    opener = keys(agreement()["input"]["key"], agreement()["input"]["key"]["kid"]).opener()
    for compact in compacts:
        for refuses in (opener.open, looks_encrypted_for):
            with pytest.raises(JweInvalid):
                refuses(compact)


def agreement() -> dict[str, Any]:
    """RFC 7520 section 5.5: ECDH-ES on P-256, the cookbook's nearest to the profile."""
    found: dict[str, Any] = vector_json("rfc7520/jwe/5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2.json")
    return found


def test_the_cookbooks_key_agreement() -> None:
    example = agreement()
    key, epk = example["input"]["key"], example["encrypting_key"]["epk"]
    shared = agreed(epk, key)
    assert encoded(derived(shared, "A128CBC-HS256", 256)) == example["encrypting_key"]["cek"]
    header = example["encrypting_content"]["protected"] | {"enc": "A256GCM"}
    text = example["input"]["plaintext"].encode()
    loaded = PrivateKeys(json.dumps({"keys": [key]}))
    opened = loaded.opener().open(composed(header, text, shared=shared))
    assert (opened.kid, opened.plaintext) == (key["kid"], text)


def test_the_cookbooks_keys_are_for_other_algorithms() -> None:
    paths = cookbook("jwk")
    assert len(paths) == 6
    for path in paths:
        with pytest.raises(KeyInvalid):
            PrivateKeys(json.dumps({"keys": [json.loads(path.read_text())]}))
        with pytest.raises(KeyInvalid):
            Recipient.from_jwk(path.read_text(), None)


def test_the_key_agreement_of_rfc_7518_appendix_c() -> None:
    """The RFC gives the key for A128GCM; for A256GCM the same derivation makes a JWE that opens here."""
    shared = agreed(ALICE, BOB)
    assert shared == agreed(BOB, ALICE)
    assert list(shared[:4] + shared[-2:]) == [158, 86, 217, 29, 144, 196]
    assert encoded(derived(shared, "A128GCM", 128, b"Alice", b"Bob")) == "VqqN6vgjbSBcIijNcacQGg"
    parties = {"apu": "QWxpY2U", "apv": "Qm9i"}
    compact = composed(HEADER | parties, shared=shared, apu=b"Alice", apv=b"Bob")
    assert keys(BOB, "Bob").opener().open(compact).plaintext == b"plain"


def test_the_partners_sample_can_be_read_but_not_opened() -> None:
    sample = json.loads(contract_example("d1-issuer-verify-card.request.json").read_text())["encryptedData"]
    assert looks_encrypted_for(sample) == "G0D43.TEST.CMS_ENC.ECC.01"
    for kid in ("other", "G0D43.TEST.CMS_ENC.ECC.01"):
        with pytest.raises(JweInvalid):
            keys(BOB, kid).opener().open(sample)
