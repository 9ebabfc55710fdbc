"""The accounts file."""

import json
from pathlib import Path

import pytest
from mintmark.v1 import accounts_pb2

from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore

RIGHT = """\
accounts:
  - account_id: d1-main
    provider: D1_ECOM
    mode: test
    merchant_gateway_id: MGW_000001
    merchant_ids: [10610027312, "00123"]
    inbound_authentication: oauth
  - accountId: tsh-main
    provider: ACCOUNT_PROVIDER_TSH
    merchantGatewayId: TSH_000001
    name: partnerAccounts/tsh-main
    etag: abc
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.yaml"
    path.write_text(RIGHT)
    return path


def test_apply_shows_the_plan_and_applies(mintmark: Command, core: FakeCore, file: Path) -> None:
    result = mintmark("accounts", "apply", str(file), "--delete-missing")
    assert result.code == 0
    assert "partnerAccounts/d1-main" in result.out
    assert "CREATE" in result.out
    plan, apply = core.requests
    assert plan.accounts == apply.accounts
    assert plan.delete_missing
    assert apply.delete_missing
    first, second = apply.accounts
    assert list(first.merchant_ids) == ["10610027312", "00123"], "ids of digits stay as they are written"
    assert first.mode == accounts_pb2.ACCOUNT_MODE_TEST
    assert first.inbound_authentication == accounts_pb2.INBOUND_AUTHENTICATION_OAUTH
    assert (second.account_id, second.name, second.etag) == ("tsh-main", "", "")


def test_json_has_what_was_done_and_stderr_the_plan(mintmark: Command, file: Path) -> None:
    result = mintmark("accounts", "apply", str(file), "--yes", "--output", "json")
    assert [line["account"] for line in result.lines] == ["partnerAccounts/d1-main", "partnerAccounts/tsh-main"]
    assert "plan: CREATE partnerAccounts/d1-main mode" in result.err


def test_the_list_can_be_that_of_a_file(mintmark: Command, file: Path) -> None:
    assert len(mintmark("accounts", "list", "--output", "json").lines) == 3
    listed = mintmark("accounts", "list", str(file), "--output", "json")
    assert [line["accountId"] for line in listed.lines] == ["d1-main", "tsh-main"]


def test_plan_changes_nothing(mintmark: Command, core: FakeCore, file: Path) -> None:
    assert len(mintmark("accounts", "plan", str(file), "--output", "json").lines) == 2
    assert all(isinstance(request, accounts_pb2.PlanAccountsRequest) for request in core.requests)


def test_a_list_at_the_top_and_json_are_right_too(mintmark: Command, core: FakeCore, file: Path) -> None:
    document = [{"accountId": "a", "provider": "TSH", "merchantGatewayId": "g", "displayName": None}]
    file.write_text(json.dumps(document))
    assert mintmark("accounts", "plan", str(file)).code == 0
    file.write_text("accounts: []\n")
    assert mintmark("accounts", "plan", str(file)).code == 0
    assert not core.requests[-1].accounts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["is empty"]),
        ("a: [", ["line 1"]),
        ("hello", ["must be a list"]),
        ("accounts: {}", ["must be a list"]),
        ("acounts: []", ["acounts: there is no such field"]),
        ("- 5", ["line 1: an account must hold fields"]),
        (
            "- account_id: a\n  provider: VISA\n  merchant_ids: x\n  colour: red\n- provider: TSH\n  provider: TSH\n",
            [
                "line 2: provider: 'VISA' is none of D1_ECOM, TSH",
                "line 3: merchant_ids: must be a list",
                "line 4: colour: there is no such field",
                "line 1: merchant_gateway_id: is missing",
                "line 6: provider: is given twice, first on line 5",
                "line 5: account_id: is missing",
            ],
        ),
        (
            "- {account_id: a, provider: TSH, merchant_gateway_id: g}\n"
            "- {account_id: a, provider: TSH, merchant_gateway_id: h}\n",
            ["line 2: account_id: a is stated twice, first on line 1"],
        ),
    ],
)
def test_everything_wrong_is_named_and_nothing_sent(
    mintmark: Command, core: FakeCore, file: Path, text: str, said: list[str]
) -> None:
    file.write_text(text)
    result = mintmark("accounts", "apply", str(file), "--yes")
    assert result.code == 1
    assert "nothing was changed" in result.err
    for part in said:
        assert part in result.err
    assert not core.requests


def test_an_account_with_d1_towards_an_issuer_has_an_issuer_and_no_merchant_gateway(
    mintmark: Command, core: FakeCore, file: Path
) -> None:
    file.write_text(
        "accounts:\n"
        "  - {account_id: i-1, provider: D1_ISSUER, issuer_id: ISSUER_001, inbound_authentication: OAUTH}\n"
        # As `accounts list --output json` shows it.
        "  - {accountId: i-2, provider: ACCOUNT_PROVIDER_D1_ISSUER, issuerId: '0123456789', merchantGatewayId: ''}\n"
    )
    assert mintmark("accounts", "apply", str(file), "--yes").code == 0
    one, other = core.requests[-1].accounts
    assert (one.provider, one.issuer_id, one.merchant_gateway_id) == (
        accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
        "ISSUER_001",
        "",
    )
    assert (other.provider, other.issuer_id) == (one.provider, "0123456789")


def test_an_issuer_where_a_merchant_gateway_belongs_is_named_and_nothing_sent(
    mintmark: Command, core: FakeCore, file: Path
) -> None:
    file.write_text(
        "- account_id: a\n"
        "  provider: d1-issuer\n"
        "  merchant_gateway_id: MGW_000001\n"
        "- account_id: b\n"
        "  provider: TSH\n"
        "  merchant_gateway_id: MGW_000001\n"
        "  issuerId: ISSUER_001\n"
    )
    result = mintmark("accounts", "apply", str(file), "--yes")
    assert result.code == 1
    for said in (
        "line 1: issuer_id: is missing",
        "line 3: merchant_gateway_id: does not go with D1_ISSUER",
        "line 7: issuerId: only goes with D1_ISSUER",
    ):
        assert said in result.err
    assert "merchant_gateway_id: is missing" not in result.err
    assert not core.requests


def test_what_the_core_finds_wrong_is_named_by_line(mintmark: Command, core: FakeCore, file: Path) -> None:
    core.violations = {"accounts[0].merchant_ids[1]": "too short", "accounts[1].mode": "wrong"}
    result = mintmark("accounts", "apply", str(file))
    assert result.code == 1
    assert f"{file} line 6: merchant_ids[1]: too short" in result.err
    assert f"{file} line 8: mode: wrong" in result.err


def test_a_public_key_may_be_in_a_file_beside(mintmark: Command, core: FakeCore, file: Path) -> None:
    (file.parent / "d1.pem").write_text("-----BEGIN PUBLIC KEY-----\nfake\n-----END PUBLIC KEY-----\n")
    file.write_text(
        "- account_id: a\n"
        "  provider: D1_ISSUER\n"
        "  issuer_id: ISSUER_001\n"
        "  d1_issuer:\n"
        "    card_verification: without-security-code\n"
        "    d1_public_keys:\n"
        "      - {public_key_file: d1.pem, thumbprint: AAAA}\n"
        "      - {public_key: here, thumbprint: BBBB}\n"
        "    directory: {address: 'cards:443', public_key: {publicKeyFile: d1.pem}}\n"
    )
    assert mintmark("accounts", "apply", str(file), "--yes").code == 0
    stated = core.requests[-1].accounts[0].d1_issuer
    assert stated.card_verification == accounts_pb2.CARD_VERIFICATION_MODE_WITHOUT_SECURITY_CODE
    in_file = "-----BEGIN PUBLIC KEY-----\nfake\n-----END PUBLIC KEY-----"
    assert [key.public_key for key in stated.d1_public_keys] == [in_file, "here"]
    assert stated.directory.public_key.public_key == in_file


def test_a_file_of_a_public_key_that_is_not_there_is_named(mintmark: Command, core: FakeCore, file: Path) -> None:
    file.write_text(
        "- account_id: a\n"
        "  provider: D1_ISSUER\n"
        "  issuer_id: ISSUER_001\n"
        "  d1_issuer:\n"
        "    d1_public_keys: [{public_key_file: gone.pem}]\n"
    )
    result = mintmark("accounts", "apply", str(file), "--yes")
    assert result.code == 1
    assert "line 4: public_key_file: cannot be read (FileNotFoundError)" in result.err
    assert not core.requests
