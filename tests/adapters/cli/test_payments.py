"""`mintmark payments`, against a real core."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from tests.adapters.cli.conftest import Result
from tests.server.rpc.paying import MERCHANT, SUBMIT, Shop, approved, details, link, open_shop, page_details
from tests.server.rpc.running import RunningCore, running_core


@pytest.fixture(scope="module")
def running() -> Iterator[RunningCore]:
    with running_core() as core:
        yield core


@pytest.fixture
def shop(running: RunningCore) -> Shop:
    return open_shop(running)


class Command:
    """The command as the administrator of the running core."""

    def __init__(
        self, running: RunningCore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        monkeypatch.setenv("MINTMARK_GRPC_ADDRESS", running.settings.grpc_address)
        monkeypatch.setenv("MINTMARK_DATA_DIR", str(running.folder / "data"))

    def __call__(self, *arguments: str) -> Result:
        from adapters.cli.main import run

        self._monkeypatch.setattr("sys.argv", ["mintmark", *arguments])
        self._capfd.readouterr()
        try:
            run()
        except SystemExit as ended:
            out, err = self._capfd.readouterr()
            return Result(int(ended.code or 0), out, err)
        out, err = self._capfd.readouterr()
        return Result(0, out, err)

    def json(self, *arguments: str) -> list[Any]:
        result = self("--output", "json", *arguments)
        assert result.code == 0, result.err
        return [json.loads(line) for line in result.out.splitlines() if line.startswith('{"')]


@pytest.fixture
def mintmark(running: RunningCore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(running, monkeypatch, capfd)


def test_a_payment_from_its_creation_to_its_refund(mintmark: Command, shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "details.json"
    file.write_text(json_format.MessageToJson(details()))
    own = "0d1f6f0e-2b07-4c80-9f0b-3d55ad0df0a1"
    create: tuple[str, ...] = (
        "payments",
        "create",
        "--token",
        shop.token,
        "--merchant-payment-id",
        "order-cli",
        "--amount",
        "1000JPY",
    )
    create += ("--details", str(file), "--request-id", own)
    (first,) = [each for each in mintmark.json(*create) if each.get("merchantPaymentId")]
    (again,) = [each for each in mintmark.json(*create) if each.get("merchantPaymentId")]
    assert first == again
    (task,) = shop.claim(SUBMIT)
    grant = shop.begin(task)
    shop.record(grant.attempt, approved(grant))
    (paid,) = [each for each in mintmark.json("payments", "wait", first["name"]) if each.get("merchantPaymentId")]
    assert paid["state"] == "PAYMENT_STATE_CAPTURED"
    result = mintmark("payments", "show", first["name"].partition("/")[2])
    assert result.code == 0
    assert [word in result.out for word in ("CAPTURED", "ATTEMPT", "SENDING", "SUCCEEDED", "attempt 1 granted")] == [
        True
    ] * 5
    refunded = mintmark("payments", "refund", first["name"], "--amount", "400JPY")
    assert refunded.code == 0
    listed = mintmark("payments", "list", "--merchant-payment-id", "order-cli")
    assert "400 JPY" in listed.out
    assert mintmark("payments", "cancel", first["name"]).code == 0


def test_a_hosted_page_is_shown_with_its_link(mintmark: Command, shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "page.json"
    file.write_text(json_format.MessageToJson(page_details()))
    make: tuple[str, ...] = ("payments", "create-hosted-page", "--merchant-gateway", shop.gateway)
    make += ("--merchant", MERCHANT, "--merchant-payment-id", "order-page", "--amount", "1000JPY")
    make += ("--details", str(file), "--store-payment-method", "--request-id", "0d1f6f0e-2b07-4c80-9f0b-3d55ad0df0a2")
    early = mintmark(*make, "--timeout", "0s")
    assert (early.code, "not settled" in early.err) == (1, True)
    grant = shop.begin(shop.claim(SUBMIT)[0])
    assert grant.submission.store_payment_method
    shop.record(grant.attempt, link(grant))
    (shown,) = [each for each in mintmark.json(*make) if each.get("merchantPaymentId")]
    assert (shown["state"], shown["redirectUrl"]) == ("PAYMENT_STATE_REQUIRES_ACTION", link(grant).page_url)
    assert f"redirect_url: {link(grant).page_url}" in mintmark(*make).out
    file.write_text('{"customerIp": "127.0.0.1"}')
    assert "HostedPageDetails" in mintmark(*make).err


def test_what_is_in_doubt_is_listed_and_settled_by_an_operator(mintmark: Command, shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    assert payment.name in mintmark("payments", "in-doubt").out
    early = mintmark("payments", "resolve", payment.name, "--reason", "looked", "--not-charged")
    assert early.code == 1
    assert "TOO_EARLY" in early.err
    assert "what to do" in early.err
    asked = mintmark("payments", "resolve", payment.name, "--reason", "looked", "--charged", "t-77")
    assert asked.code == 0
    assert "says that it was done: looked" in mintmark("payments", "show", payment.name).out
    assert mintmark("payments", "resolve", payment.name, "--reason", "x").code == 2


def test_an_authorization_is_captured_and_another_released(mintmark: Command, shop: Shop) -> None:
    for word in ("capture", "void"):
        payment = shop.authorize()
        grant = shop.granted(payment)
        shop.record(grant.attempt, approved(grant))
        assert mintmark("payments", word, payment.name).code == 0
        grant = shop.granted(payment)
        shop.record(grant.attempt, approved(grant))
    assert "VOIDED" in mintmark("payments", "list", "--state", "voided").out


def test_sending_is_held_and_released(mintmark: Command, shop: Shop) -> None:
    account = shop.account.partition("/")[2]
    hold = ("payments", "hold", "--account", account, "--reason", "incident")
    # The core of this process logs to the same stdout.
    assert "1 accounts are held now" in mintmark(*hold).out
    assert "0 accounts are held now" in mintmark(*hold).out
    assert "1 accounts send again" in mintmark("payments", "release", "--account", account, "--reason", "over").out


def test_a_wait_that_ends_too_early_says_so(mintmark: Command, shop: Shop) -> None:
    payment = shop.create()
    result = mintmark("payments", "wait", payment.name, "--timeout", "0s")
    assert (result.code, "not settled" in result.err) == (1, True)


@pytest.mark.parametrize("amount", ["12.50EUR", "EUR", "1000", "-5EUR", "1 000JPY"])
def test_an_amount_is_in_minor_units_with_its_currency(mintmark: Command, shop: Shop, amount: str) -> None:
    assert mintmark("payments", "refund", "payments/x", "--amount", amount).code == 2


ACCOUNTS = """\
accounts:
  - account_id: po-cli
    provider: PAYMENT_OPTIONS
    mode: live
    merchant_gateway_id: PAY_CLI
    payment_options:
      base_url: https://api.paymentoptions.com
      authorization_file: secrets/authorization
      api_key_file: secrets/api-key
      partner_merchant_id: JP00000328
      purchase_path: paymentv2
      currencies:
        - currency_code: EUR
          amount_unit: minor
          payment_ceiling: 50000
          day_ceiling: 1000000
      return_url_prefixes: ["https://shop.example.com/"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.yaml"
    path.write_text(ACCOUNTS)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/authorization").write_text("Basic canary-cli\n")
    (tmp_path / "secrets/api-key").write_text("key-canary-cli\n")
    return path


def test_an_account_is_stated_with_its_secrets_in_files_of_their_own(mintmark: Command, file: Path) -> None:
    assert mintmark("accounts", "apply", str(file), "--yes").code == 0
    (shown,) = mintmark.json("accounts", "list", str(file))
    assert shown["paymentOptions"]["currencies"][0]["paymentCeiling"] == "50000"
    assert "canary" not in json.dumps(shown)
    assert "NONE" in mintmark("accounts", "plan", str(file)).out
    (file.parent / "secrets/api-key").write_text("another")
    plan = mintmark("accounts", "plan", str(file)).out
    assert "payment_options.api_key" in plan
    assert "another" not in plan
    # Without its secrets the account stays with those that are kept.
    file.write_text(ACCOUNTS.replace("      authorization_file: secrets/authorization\n", ""))
    (file.parent / "secrets/api-key").write_text("key-canary-cli")
    assert "NONE" in mintmark("accounts", "plan", str(file)).out


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("authorization_file: secrets/authorization", "authorization: Basic x", "authorization_file"),
        ("secrets/api-key", "secrets/none", "cannot be read"),
        ("          day_ceiling: 1000000\n", "", "day_ceiling"),
        ("          amount_unit: minor\n", "", "never guessed"),
        ("https://api.paymentoptions.com", "http://api.paymentoptions.com", "https"),
        ("payment_ceiling: 50000", "payment_ceiling: much", "whole number"),
        ('"https://shop.example.com/"', '"ftp://shop.example.com/"', "http"),
    ],
)
def test_what_is_wrong_with_an_account_is_named(mintmark: Command, file: Path, old: str, new: str, told: str) -> None:
    assert old in ACCOUNTS
    file.write_text(ACCOUNTS.replace(old, new).replace("po-cli", "po-wrong").replace("PAY_CLI", "PAY_WRONG"))
    result = mintmark("accounts", "plan", str(file))
    assert result.code == 1
    assert told in result.err


def test_a_new_account_needs_its_secrets(mintmark: Command, file: Path) -> None:
    bare = ACCOUNTS.replace("      api_key_file: secrets/api-key\n", "")
    file.write_text(bare.replace("po-cli", "po-bare").replace("PAY_CLI", "PAY_BARE"))
    result = mintmark("accounts", "plan", str(file))
    assert result.code == 1
    assert "payment_options.api_key" in result.err
