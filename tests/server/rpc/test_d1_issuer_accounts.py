"""How D1's calls about an issuer's cards are answered, as operators state it in the issuer's account."""

import itertools
import json
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from mintmark.v1 import accounts_pb2 as pb

from tests.server.keys.test_public_keys import REFERENCE, THUMBPRINT, certificate, jwk
from tests.server.rpc.running import RunningCore, request_id

KEY = {"public_key": json.dumps(REFERENCE), "thumbprint": THUMBPRINT}
DIRECTORY = {"address": "cards.example.com:443", "public_key": KEY}
NUMBERS = itertools.count(1)
MODE = "CARD_VERIFICATION_MODE_WITH_SECURITY_CODE"


def account(**d1_issuer: Any) -> pb.Account:
    place = f"ISS{next(NUMBERS):07}"
    return pb.Account(
        account_id=place,
        provider=pb.ACCOUNT_PROVIDER_D1_ISSUER,
        issuer_id=place,
        d1_issuer=json_format.ParseDict(d1_issuer, pb.D1IssuerAccount()),
    )


def apply(core: RunningCore, stated: pb.Account) -> list[tuple[int, list[str]]]:
    request = pb.ApplyAccountsRequest(request_id=request_id(), accounts=[stated])
    return [(each.action, list(each.fields)) for each in core.admin.accounts.ApplyAccounts(request).changes]


def test_what_is_stated_is_kept_with_the_defaults_and_stating_it_again_changes_nothing(core: RunningCore) -> None:
    whole = {
        "d1_public_keys": [KEY, {**KEY, "key_id": "older"}],
        "card_verification": MODE,
        "tell_credentials": True,
        "tell_credentials_without_security_code": True,
        "tell_consumers": True,
        "directory": DIRECTORY,
    }
    stated = account(**whole)
    assert apply(core, stated) == [(pb.ACCOUNT_ACTION_CREATE, [])]
    assert apply(core, stated) == [(pb.ACCOUNT_ACTION_NONE, [])]
    name = f"partnerAccounts/{stated.account_id}"
    kept = core.admin.accounts.GetAccount(pb.GetAccountRequest(name=name)).account
    shown = json_format.MessageToDict(kept.d1_issuer, preserving_proto_field_name=True)
    named = {**KEY, "key_id": THUMBPRINT}
    assert shown == {
        **whole,
        "d1_public_keys": [named, {**KEY, "key_id": "older"}],
        "security_code_attempts": 3,
        "security_code_attempts_window_hours": 24,
        "directory": {**DIRECTORY, "public_key": named, "timeout_milliseconds": 3_000},
    }
    assert apply(core, kept) == [(pb.ACCOUNT_ACTION_NONE, [])], "what is shown can be stated"
    kept.d1_issuer.tell_consumers = False
    assert apply(core, kept) == [(pb.ACCOUNT_ACTION_UPDATE, ["d1_issuer"])]
    kept.ClearField("d1_issuer")
    assert apply(core, kept) == [(pb.ACCOUNT_ACTION_UPDATE, ["d1_issuer"])]


@pytest.mark.parametrize(
    ("stated", "field", "said"),
    [
        ({"card_verification": MODE}, "card_verification", "nobody checks the codes"),
        ({"tell_credentials": True}, "d1_public_keys", "must be given"),
        ({"tell_credentials_without_security_code": True}, "tell_credentials_without_security_code", "only with"),
        ({"d1_public_keys": [KEY, KEY]}, "d1_public_keys[1].key_id", "stated twice"),
        ({"d1_public_keys": [{**KEY, "thumbprint": "A" * 43}]}, "d1_public_keys[0].thumbprint", THUMBPRINT),
        ({"d1_public_keys": [{**KEY, "public_key": jwk(d="AAAA")}]}, "d1_public_keys[0].public_key", "is private"),
        (
            {"d1_public_keys": [{**KEY, "public_key": certificate(key_agreement=False)}]},
            "d1_public_keys[0].public_key",
            "not for key agreement",
        ),
        ({"directory": {"address": "cards.example.com:443"}}, "directory.public_key", "required"),
        ({"directory": {**DIRECTORY, "public_key": {**KEY, "thumbprint": "A" * 43}}}, "directory.public_key", "is"),
        ({"directory": {**DIRECTORY, "address": "cards.example.com"}}, "directory.address", "host:port"),
        ({"directory": {**DIRECTORY, "address": "::1:443"}}, "directory.address", "brackets"),
        ({"directory": {**DIRECTORY, "address": "[cards]:443"}}, "directory.address", "IPv6"),
        ({"directory": {**DIRECTORY, "address": "cards:0"}}, "directory.address", "port"),
    ],
    ids=range(13),
)
def test_what_cannot_work_is_refused(core: RunningCore, stated: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        apply(core, account(**stated))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"accounts[0].d1_issuer.{field}" in str(refused.value.details())
    assert said in str(refused.value.details())


def test_only_issuers_accounts_have_cards(core: RunningCore) -> None:
    stated = account()
    stated.provider, stated.issuer_id, stated.merchant_gateway_id = pb.ACCOUNT_PROVIDER_TSH, "", "MGW_000009"
    with pytest.raises(grpc.RpcError) as refused:
        apply(core, stated)
    assert "accounts[0].d1_issuer: only with provider D1_ISSUER" in str(refused.value.details())


def test_a_directory_may_be_an_ipv6_address(core: RunningCore) -> None:
    stated = account(directory={**DIRECTORY, "address": "[2001:db8::1]:8443"})
    assert apply(core, stated) == [(pb.ACCOUNT_ACTION_CREATE, [])]
