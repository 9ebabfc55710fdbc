"""The block of an account that says how D1 is called: its defaults, its key, and what is refused."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)
from mintmark.v1 import accounts_pb2 as ap

from tests.server.rpc.refreshing import Gateway, made_key, open_gateway, pem
from tests.server.rpc.running import RunningCore, refused


@pytest.fixture
def gateway(core: RunningCore) -> Gateway:
    return open_gateway(core)


def shown(gateway: Gateway) -> ap.D1Api:
    return gateway.core.admin.accounts.GetAccount(ap.GetAccountRequest(name=gateway.account)).account.d1_api


def jwk(key: ec.EllipticCurvePrivateKey, **members: Any) -> str:
    numbers = key.private_numbers()
    point = numbers.public_numbers
    parts = {"d": numbers.private_value, "x": point.x, "y": point.y}
    texts = {
        name: base64.urlsafe_b64encode(part.to_bytes(32, "big")).decode().rstrip("=") for name, part in parts.items()
    }
    made = {"kty": "EC", "crv": "P-256", **texts, **members}
    return json.dumps({name: value for name, value in made.items() if value is not None})


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_what_is_not_stated_is_as_the_sandbox_has_it(gateway: Gateway) -> None:
    api = shown(gateway)
    assert api.token_path == "/authz/v1/oauth2/token"
    assert api.assertion_life_seconds == 300
    assert api.token_details_path == "/merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens/{tokenId}"
    assert api.token_details_fields.payment_account_reference == "paymentAccountReference"
    assert (api.issuer, api.subject, api.audience) == ("", "", "")


def test_stating_it_again_changes_nothing_whatever_form_the_key_has(gateway: Gateway) -> None:
    key = gateway.key
    for text in ("", jwk(key), jwk(key, use="sig", alg="ES256", key_ops=["sign"]), pem(key)):
        assert gateway.state(signing_key=text) == []
    assert gateway.state(signing_key=pem(key, PrivateFormat.TraditionalOpenSSL)) == []
    assert gateway.state(signing_key=pem(made_key())) == ["d1_api.signing_key"]


def test_other_names_and_paths_can_be_stated(gateway: Gateway) -> None:
    fields = ap.D1TokenDetailsFields(state="status", card_bin="card.bin")
    path = "/v2/tokens/{tokenId}"
    assert gateway.state(token_details_path=path, token_details_fields=fields) == ["d1_api"]
    gateway.notify()
    wanted = gateway.claim_one().token_refresh
    assert (wanted.path_template, wanted.names.state, wanted.names.card_bin) == (path, "status", "card.bin")
    assert wanted.names.card_expiry == "cardExpiryDate"


P384 = ec.generate_private_key(ec.SECP384R1())
OURS, OTHER = made_key(), made_key()
ENCRYPTED = OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
OTHERS = json.loads(jwk(OTHER))


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (public_pem(OURS), "public only"),
        (jwk(OURS, d=None), "public only"),
        (pem(P384), "P-256"),
        (pem(rsa.generate_private_key(65537, 2048)), "P-256"),
        (jwk(OURS, crv="P-384"), "P-256"),
        (jwk(OURS, kty="RSA"), "P-256"),
        (jwk(OURS, use="enc"), "not for signing"),
        (jwk(OURS, key_ops=["deriveBits"]), "not for signing"),
        (jwk(OURS, key_ops="sign"), "not for signing"),
        (jwk(OURS, alg="ECDH-ES"), "not for signing"),
        (jwk(OURS, x=OTHERS["x"]), "not one key"),
        (jwk(OURS, x=OTHERS["x"], y=OTHERS["y"]), "not one key"),
        (jwk(OURS, d="AA"), "not one key"),
        (jwk(OURS, y=7), "not one key"),
        (ENCRYPTED, "encrypted"),
        ("not a key", "cannot be read"),
        ("{", "cannot be read"),
        ('{"a":' * 400 + "1" + "}" * 400, "P-256"),
        (pem(OURS).replace("M", "N", 3), "cannot be read"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_the_refusal_says_why(gateway: Gateway, key: str, why: str) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        gateway.state(signing_key=key)
    assert told.violations == {"accounts[0].d1_api.signing_key": "key"}
    assert why in told.text
    for secret in (json.loads(jwk(OURS))["d"], "".join(pem(OURS).splitlines()[1:-1])):
        assert secret not in told.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"base_url": "http://d1.example"}, "base_url"),
        ({"base_url": "https://d1.example/path"}, "base_url"),
        ({"token_path": "oauth2"}, "token_path"),
        ({"key_id": ""}, "key_id"),
        ({"assertion_life_seconds": 901}, "assertion_life_seconds"),
        ({"assertion_life_seconds": 59}, "assertion_life_seconds"),
        ({"token_details_path": "/tokens"}, "token_details_path"),
        ({"token_details_path": "tokens/{tokenId}"}, "token_details_path"),
        ({"token_details_path": "/tokens/{tokenId}?a=b"}, "token_details_path"),
        ({"token_details_path": "/../{tokenId}"}, "token_details_path"),
        ({"token_details_path": "/{secret}/{tokenId}"}, "token_details_path"),
        ({"token_details_path": "/{tokenId!r}/{tokenId}"}, "token_details_path"),
        ({"token_details_fields": ap.D1TokenDetailsFields(card_bin="a..b")}, "token_details_fields.card_bin"),
    ],
)
def test_what_cannot_work_is_refused(gateway: Gateway, fields: dict[str, Any], field: str) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        gateway.state(**fields)
    assert set(told.violations) == {f"accounts[0].d1_api.{field}"}


def test_it_needs_a_key_and_d1(core: RunningCore) -> None:
    gateway = open_gateway(core, account=False)
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        gateway.state(signing_key="")
    assert told.violations == {"accounts[0].d1_api.signing_key": "required"}
    of_tsh = gateway.stated()
    of_tsh.provider = ap.ACCOUNT_PROVIDER_TSH
    with refused("INVALID_ARGUMENT", "FIELD_INVALID") as told:
        gateway.apply(of_tsh)
    assert set(told.violations) == {"accounts[0].d1_api"}
