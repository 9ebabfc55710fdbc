"""`mintmark webhooks`, and accounts with the acquirer in the accounts file, against a real core."""

import io
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.adapters.cli.test_payments import Command
from tests.server.rpc.configuring import Acquirer, made_key, open_acquirer
from tests.server.rpc.running import RunningCore, running_core
from tests.waiting import eventually


@pytest.fixture(scope="module")
def running() -> Iterator[RunningCore]:
    with running_core() as core:
        yield core


@pytest.fixture
def acquirer(running: RunningCore) -> Acquirer:
    return open_acquirer(running, delete_by_update=True)


@pytest.fixture
def mintmark(running: RunningCore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(running, monkeypatch, capfd)


@pytest.fixture
def file(acquirer: Acquirer, tmp_path: Path) -> Path:
    account_id = acquirer.account.removeprefix("partnerAccounts/")
    (tmp_path / "key").write_text(f"{made_key()}\n")
    path = tmp_path / "webhooks.yaml"
    path.write_text(
        f"""\
account: {account_id}
webhook_configs:
  - webhook_config_id: {account_id}-shop
    merchant_id: 1000000001
    payment_method_codes: [CARD, BLIK]
    key_file: key
  - webhookConfigId: {account_id}-till
    merchantId: "1000000001"
    terminalId: 50994
    paymentMethodCodes: [CARD]
  - webhook_config_id: {account_id}-books
    merchant_id: 1000000001
    channel: email
    value: books@example.com
    payment_method_codes: [CARD]
"""
    )
    return path


def test_a_file_is_planned_applied_and_applied_again(mintmark: Command, acquirer: Acquirer, file: Path) -> None:
    planned = mintmark.json("webhooks", "plan", str(file))
    assert [each["action"] for each in planned] == ["WEBHOOK_CONFIG_ACTION_CREATE"] * 3
    assert mintmark.json("webhooks", "list", "--account", acquirer.account) == []
    applied = mintmark("webhooks", "apply", str(file), "--yes")
    assert applied.code == 0
    assert applied.out.count("CREATE") == 3
    acquirer.agree()
    key = (file.parent / "key").read_text().strip()
    assert key in {made.key for made in acquirer.has.values()}
    listed = mintmark.json("webhooks", "list", "--account", acquirer.account, "--state", "applied")
    assert len(listed) == 3
    assert key not in str(listed)
    again = mintmark("webhooks", "apply", str(file))
    assert "Nothing to change." in again.err
    assert acquirer.claim() == []


def test_drift_is_shown_by_refresh_and_healed_by_apply(mintmark: Command, acquirer: Acquirer, file: Path) -> None:
    mintmark("webhooks", "apply", str(file))
    acquirer.agree()
    (code,) = [code for code, made in acquirer.has.items() if made.webhook_config.endswith("-till")]
    acquirer.has[code].value = "https://elsewhere.example/x"
    with ThreadPoolExecutor(1) as dispatcher:
        # The command waits for what the acquirer answers.
        showing = dispatcher.submit(lambda: eventually(acquirer.show, 20, "the question"))
        refreshed = mintmark("webhooks", "refresh", "--account", acquirer.account)
        assert showing.result()
    assert "DRIFTED" in refreshed.out
    config = acquirer.has[code].webhook_config
    shown = mintmark("webhooks", "show", config.removeprefix("webhookConfigs/"))
    assert [word in shown.out for word in ("value", "https://elsewhere.example/x", "DRIFTED")] == [True] * 3
    healed = mintmark("webhooks", "apply", str(file))
    assert "REAPPLY" in healed.out
    acquirer.agree()
    assert acquirer.state_of(config) == "APPLIED"


def test_a_wrong_file_names_every_line_and_changes_nothing(mintmark: Command, acquirer: Acquirer, file: Path) -> None:
    account_id = acquirer.account.removeprefix("partnerAccounts/")
    file.write_text(
        f"""\
account: {account_id}
webhook_configs:
  - webhook_config_id: a
    merchant_id: 1000000001
    payment_method_codes: CARD
    nonsense: 1
  - merchant_id: 1000000001
  - webhook_config_id: a
    merchant_id: 1000000001
    key: {"A" * 43}=
    key_file: nowhere
  - just text
other: 1
"""
    )
    refused = mintmark("webhooks", "apply", str(file))
    assert refused.code == 1
    for line, word in (
        (5, "list of texts"),
        (6, "no such field"),
        (7, "webhook_config_id: is missing"),
        (10, "key_file"),
    ):
        assert any(f"line {line}" in each and word in each for each in refused.err.splitlines()), (line, word)
    for line in (11, 12, 13):
        assert f"line {line}" in refused.err
    assert "A" * 43 not in refused.err
    assert acquirer.claim() == []


def test_what_the_core_refuses_is_told_with_its_line(mintmark: Command, acquirer: Acquirer, file: Path) -> None:
    text = file.read_text().replace("    terminalId: 50994\n", "    value: https://elsewhere.example/x\n")
    file.write_text(text.replace("    value: books@example.com\n", "    value: nobody\n"))
    for command in ("plan", "apply"):
        refused = mintmark("webhooks", command, str(file))
        assert refused.code == 1
        assert "line 9: value" in refused.err
        assert "line 14: value" in refused.err
    assert acquirer.claim() == []


@pytest.mark.parametrize(
    "text", ["", "[]", "account: a", "webhook_configs: []", "account: a\nwebhook_configs: 1", "a: ["]
)
def test_what_is_no_such_file_is_refused(mintmark: Command, file: Path, text: str) -> None:
    file.write_text(text)
    refused = mintmark("webhooks", "plan", str(file))
    assert refused.code == 1
    assert str(file) in refused.err


def test_a_key_is_rotated_and_a_config_deleted(
    mintmark: Command, acquirer: Acquirer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mintmark("webhooks", "apply", str(file))
    acquirer.agree()
    name = next(made.webhook_config for made in acquirer.has.values() if made.webhook_config.endswith("-shop"))
    key = made_key()
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{key}\n"))
    rotated = mintmark("webhooks", "rotate-key", name, "--key-stdin")
    assert rotated.code == 0
    assert key not in rotated.out
    (task,) = acquirer.claim()
    assert task.application.key == key
    acquirer.report(task)
    assert len(mintmark.json("webhooks", "rotate-key", name)[0]["keys"]) == 3
    acquirer.agree()
    assert mintmark.json("webhooks", "delete", name)[0]["state"] == "WEBHOOK_CONFIG_STATE_DELETING"
    acquirer.agree()
    assert name not in str(mintmark.json("webhooks", "list"))
    assert mintmark.json("webhooks", "list", "--unmanaged") == []
    missing = mintmark("webhooks", "apply", str(file), "--delete-missing")
    assert missing.code == 1
    assert "DELETED" in missing.err


def test_an_account_with_the_acquirer_is_stated_in_a_file(mintmark: Command, tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    for name in ("client-id", "secret", "token"):
        (tmp_path / name).write_text(f"{name}-CANARY\n")
    text = """\
- account_id: stated
  provider: sibs
  merchant_gateway_id: STATED
  merchant_ids: [1000000001]
  sibs:
    base_url: https://acquirer.example
    acquirer_id: 123
    client_id_file: client-id
    client_credentials:
      token_url: https://acquirer.example/token
      client_id: us
      client_secret_file: secret
      scope: webhooks
    payments_base_url: https://payments.example
    payments_token_apart: true
    payments_access_token_file: token
    delete_by_update: yes
"""
    path.write_text(text)
    created = mintmark("accounts", "apply", str(path))
    assert created.code == 0, created.err
    assert "CREATE" in created.out
    (account,) = [each for each in mintmark.json("accounts", "list") if each["accountId"] == "stated"]
    assert account["inboundAuthentication"] == "INBOUND_AUTHENTICATION_MESSAGE_KEY"
    assert account["sibs"]["versionId"] == "v1"
    assert account["sibs"]["acknowledgementStatusCode"] == "200"
    assert account["sibs"]["deleteByUpdate"] is True
    assert "CANARY" not in str(account)
    assert "Nothing to change." in mintmark("accounts", "apply", str(path)).err
    (tmp_path / "secret").write_text("another")
    assert "sibs.client_credentials.client_secret" in mintmark("accounts", "plan", str(path)).out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("client_id_file: client-id", "client_id: CANARY", "client_id_file"),
        ("client_id_file: client-id", "client_id_file: nowhere", "cannot be read"),
        ("base_url: https://acquirer.example", "base_url: http://acquirer.example", "sibs.base_url"),
        ("acquirer_id: 123", "acquirer_id: abc", "acquirer_id"),
        ("    access_token_file: token\n", "", "sibs.access_token"),
        ("    client_id_file: client-id\n", "", "sibs.client_id"),
        ("provider: sibs", "provider: tsh", "sibs"),
        ("delete_by_update: yes", "delete_by_update: perhaps", "true or false"),
        ("delete_by_update: yes", "webhook_url_prefixes: [http://x.example]", "webhook_url_prefixes[0]"),
        ("delete_by_update: yes", "field_names: {value: key}", "field_names"),
        ("delete_by_update: yes", "payments_token_apart: true", "payments"),
        (
            "delete_by_update: yes",
            "client_credentials: {token_url: 'ftp://x', client_secret_file: token}",
            "client_credentials.token_url",
        ),
    ],
)
def test_a_wrong_account_is_told_with_its_line(
    mintmark: Command, tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = tmp_path / "accounts.yaml"
    (tmp_path / "client-id").write_text("CANARY")
    (tmp_path / "token").write_text("CANARY")
    text = """\
- account_id: wrong
  provider: sibs
  merchant_gateway_id: WRONG
  sibs:
    base_url: https://acquirer.example
    acquirer_id: 123
    client_id_file: client-id
    access_token_file: token
    delete_by_update: yes
"""
    assert old in text
    path.write_text(text.replace(old, new))
    refused = mintmark("accounts", "apply", str(path))
    assert refused.code == 1
    assert said in refused.err
    assert f"{path} line" in refused.err
    assert "CANARY" not in refused.err
    assert not [each for each in mintmark.json("accounts", "list") if each["accountId"] == "wrong"]
