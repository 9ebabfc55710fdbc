"""Refusals: the exit code, the reason on stderr, and what to do."""

from pathlib import Path

import pytest
from mintmark.v1 import errors_pb2

from adapters.cli.refusals import ADVICE
from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore
from tests.stack import free_ports


def test_there_is_advice_for_every_reason() -> None:
    reasons = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.DESCRIPTOR.values_by_name} - {
        "UNSPECIFIED"
    }
    assert set(ADVICE) == reasons


def test_a_core_that_is_not_there_is_named(mintmark: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setenv("MINTMARK_GRPC_ADDRESS", address)
    result = mintmark("tokens", "list")
    assert result.code == 1
    assert result.err.splitlines()[0] == f"mintmark: cannot reach the core at {address}"
    assert "mintmark serve" in result.err
    assert result.out == ""


def test_a_refusal_says_why_and_what_to_do(mintmark: Command) -> None:
    result = mintmark("clients", "create", "taken", "--scope", "d1-notify")
    assert result.code == 1
    assert "the client id is taken (RESOURCE_EXISTS, resource clients/taken)" in result.err
    assert "what to do: choose another id" in result.err


def test_wrong_credentials(mintmark: Command, settings: Path) -> None:
    (settings / "credentials" / "admin.json").write_text('{"client_id": "admin", "client_secret": "wrong"}')
    result = mintmark("tokens", "list")
    assert result.code == 1
    assert "CLIENT_CREDENTIALS_INVALID" in result.err


def test_without_credentials_only_development_mode_calls(
    mintmark: Command, settings: Path, core: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings / "credentials" / "admin.json").unlink()
    result = mintmark("tokens", "list")
    assert result.code == 1
    assert core.address in result.err
    assert "admin.json" in result.err
    monkeypatch.setenv("MINTMARK_DEVELOPMENT", "1")
    assert mintmark("tokens", "list").code == 0
    assert "authorization" not in core.metadata[-1]


def test_wrong_settings_are_all_named(mintmark: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTMARK_GRPC_ADDRESS", "nowhere")
    monkeypatch.setenv("MINTMARK_LOG_LEVEL", "loud")
    result = mintmark("tokens", "list")
    assert result.code == 2
    assert "MINTMARK_GRPC_ADDRESS" in result.err
    assert "MINTMARK_LOG_LEVEL" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("tokens", "list", "--output", "xml"),
        ("tokens", "list", "--state", "sleeping"),
        ("tokens", "show"),
        ("clients", "create", "c"),
        ("clients", "create", "c", "--scope", "s", "--weak"),
        ("clients", "create", "c", "--scope", "s", "--secret-stdin"),
        ("clients", "rotate", "c", "--old-secret-lifetime", "soon"),
        ("clients", "update", "c"),
        ("accounts", "plan", "/nowhere.yaml"),
        ("tokens", "import", "/nowhere.jsonl"),
        ("sandbox", "configure"),
        ("sandbox", "send", "d1-token-update", "--device", "d"),
    ],
)
def test_wrong_usage(mintmark: Command, arguments: tuple[str, ...]) -> None:
    result = mintmark(*arguments)
    assert result.code == 2
    assert result.err


def test_a_sandbox_that_is_not_there_is_named(mintmark: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", address)
    result = mintmark("sandbox", "state")
    assert (result.code, address in result.err) == (1, True)
