"""`mintmark sandbox d1-api ...` against a twin that serves; the account that calls D1; tokens read again by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey
from protovalidate import validate

from server.domain.d1_accounts import DEFAULT_DETAILS_PATH
from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore
from tests.adapters.sandbox.d1_api.caller import GATEWAY, MERCHANT, Caller, caller_of
from tests.house.tree import ROOT

TWIN = ("sandbox", "d1-api")
FILE = """\
accounts:
  - account_id: d1-main
    provider: D1_ECOM
    merchant_gateway_id: MGW_000001
    d1_api:
      base_url: https://api.d1.example
      key_id: acme-2026
      {key}
      assertion_life_seconds: 600
      token_details_fields: {{card_bin: card.bin}}
"""


@pytest.fixture
def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    folder = tmp_path / "twins"
    folder.mkdir()
    with caller_of(folder) as made:
        url = made.client.base_url
        monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", f"{url.host}:{url.port}")
        yield made


def test_a_key_is_given_and_shown(mintmark: Command, caller: Caller, tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256")
    file = tmp_path / "public.pem"
    file.write_text(key.as_pem(private=False).decode())
    shown = mintmark(*TWIN, "give-key", str(file), "--key-id", "second", "--issuer", "MGW_000002")
    assert shown.code == 0
    assert f"second of MGW_000002 ({key.thumbprint()})" in shown.out
    assert "/authz/v1/oauth2/token" in mintmark(*TWIN, "state").out
    assert len(mintmark(*TWIN, "state", "--output", "json").lines[0]["keys"]) == 2
    file.write_text("no key")
    assert mintmark(*TWIN, "give-key", str(file), "--key-id", "x").code == 1


def test_a_card_is_changed_forgotten_and_asked_for(mintmark: Command, caller: Caller) -> None:
    changed = mintmark(*TWIN, "change-card", "t-1", "--last-digits", "7777", "--expiry", "0431", "--silent")
    assert (changed.code, changed.out.strip()) == (0, "ACTIVE 453421…7777 0431")
    access_token = caller.access_token()
    assert caller.details("t-1", access_token).json()["cardLastDigits"] == "7777"
    assert "forgotten" in mintmark(*TWIN, "forget", "t-1").out
    assert caller.details("t-1", access_token).status_code == 404
    text = mintmark(*TWIN, "requests").out
    assert "404 details  t-1 there is no such token" in text
    other = ("--merchant-gateway", GATEWAY, "--merchant", MERCHANT, "--state", "SUSPENDED", "--bin", "400000")
    assert "SUSPENDED 400000" in mintmark(*TWIN, "change-card", "t-2", *other, "--silent").out
    assert mintmark(*TWIN, "revoke").out.strip() == "1 ended"


def test_a_change_that_nobody_took_notice_of_is_told(mintmark: Command, caller: Caller) -> None:
    told = mintmark(*TWIN, "change-card", "t-1")
    assert told.code == 1
    assert "lacks" in told.err or "refuses" in told.err or "not acknowledged" in told.err


def test_faults_are_added_and_cleared(mintmark: Command, caller: Caller) -> None:
    assert mintmark(*TWIN, "fault", "details", "status", "--status", "401", "--always").code == 0
    assert "details status x∞, token hang x2" in mintmark(*TWIN, "fault", "token", "hang", "--times", "2").out
    assert mintmark(*TWIN, "fault", "details", "explosion").code == 1
    assert mintmark(*TWIN, "clear-faults").out.strip() == "faults: none"


def test_the_accounts_file_names_the_file_of_the_key(mintmark: Command, core: FakeCore, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("THE-KEY\n")
    file = tmp_path / "accounts.yaml"
    file.write_text(FILE.format(key="signing_key_file: key.pem"))
    assert mintmark("accounts", "apply", str(file), "--yes").code == 0
    api = core.requests[-1].accounts[0].d1_api
    assert (api.signing_key, api.key_id, api.assertion_life_seconds) == ("THE-KEY", "acme-2026", 600)
    assert api.token_details_fields.card_bin == "card.bin"
    file.write_text(FILE.format(key="signing_key: THE-KEY"))
    refused = mintmark("accounts", "apply", str(file), "--yes")
    assert refused.code != 0
    assert "signing_key_file" in refused.err
    assert "THE-KEY" not in refused.err


def test_the_readmes_account_is_one(mintmark: Command, core: FakeCore, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## Tokens read again (D1)")[2]
    (tmp_path / "d1-key.pem").write_text("THE-KEY\n")
    file = tmp_path / "accounts.yaml"
    file.write_text(section.partition("```yaml\n")[2].partition("```")[0])
    assert mintmark("accounts", "apply", str(file), "--yes").code == 0
    validate(core.requests[-1])
    api = core.requests[-1].accounts[0].d1_api
    assert (api.signing_key, api.token_details_path) == ("THE-KEY", DEFAULT_DETAILS_PATH)
    assert {field.name for field, _ in api.token_details_fields.ListFields()} == {
        field.name for field in api.token_details_fields.DESCRIPTOR.fields
    }


def test_a_token_is_refreshed_by_hand(mintmark: Command, core: FakeCore) -> None:
    name = f"merchantGateways/{GATEWAY}/merchants/{MERCHANT}/tokens/t-1"
    assert mintmark("tokens", "refresh", name).code == 0
    assert core.requests[-1].name == name
