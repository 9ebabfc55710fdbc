"""The commands that are clients of the API."""

import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from mintmark.v1 import clients_pb2, tokens_pb2

from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore


def token(number: int) -> tokens_pb2.Token:
    name = f"merchantGateways/MGW_000001/merchants/10610027312/tokens/t{number}"
    made = tokens_pb2.Token(name=name, state=tokens_pb2.TOKEN_STATE_ACTIVE, state_text="ACTIVE", refresh_generation=1)
    made.create_time.FromJsonString("2026-11-21T04:05:06.789Z")
    return made


@pytest.mark.parametrize("order", ["before", "after"])
def test_json_is_one_canonical_object_a_line_and_lists_show_every_page(
    mintmark: Command, core: FakeCore, order: str
) -> None:
    core.tokens = [token(number) for number in range(8)]
    form = ("--output", "json")
    result = mintmark(*form, "tokens", "list") if order == "before" else mintmark("tokens", "list", *form)
    assert result.code == 0
    assert result.lines == [json_format.MessageToDict(each) for each in core.tokens]
    assert result.lines[0]["refreshGeneration"] == "1"
    assert core.metadata[-1]["authorization"] == "Bearer at"
    assert core.metadata[-1]["x-correlation-id"]


def test_a_limit_ends_the_list(mintmark: Command, core: FakeCore) -> None:
    core.tokens = [token(number) for number in range(8)]
    assert len(mintmark("tokens", "list", "--limit", "4", "--output", "json").lines) == 4
    assert [request.page_size for request in core.requests] == [4, 1]


def test_filters_of_a_list(mintmark: Command, core: FakeCore) -> None:
    mintmark("tokens", "list", "--merchant", "a b", "--state", "active", "--state", "TOKEN_STATE_DELETED", "--disabled")
    (request,) = core.requests
    assert request.parent == "merchantGateways/-/merchants/a%20b"
    assert list(request.states) == [tokens_pb2.TOKEN_STATE_ACTIVE, tokens_pb2.TOKEN_STATE_DELETED]
    assert request.disabled
    mintmark("tokens", "list", "--provider", "d1-ecom")
    assert core.requests[-1].provider == tokens_pb2.TOKEN_PROVIDER_D1_ECOM


def test_a_table_has_whole_names_also_in_a_pipe(mintmark: Command, core: FakeCore) -> None:
    core.tokens = [token(1)]
    result = mintmark("tokens", "list")
    assert token(1).name in result.out
    assert "ACTIVE" in result.out
    assert "\x1b" not in result.out
    assert mintmark("tokens", "list", "--merchant", "x").code == 0


def test_show(mintmark: Command, core: FakeCore) -> None:
    core.tokens = [token(1)]
    assert mintmark("tokens", "show", token(1).name, "--output", "json").lines[0]["stateText"] == "ACTIVE"
    assert "state: ACTIVE" in mintmark("tokens", "show", token(1).name).out
    missing = mintmark("tokens", "show", "merchantGateways/g/merchants/m/tokens/t")
    assert (missing.code, "RESOURCE_NOT_FOUND" in missing.err) == (1, True)


def test_a_client_and_its_secret(mintmark: Command, core: FakeCore) -> None:
    arguments = ("clients", "create", "d1", "--scope", "d1-notify", "--merchant-gateway", "MGW_000001", "--issuer", "i")
    (document,) = mintmark(*arguments, "--merchant", "m1", "--merchant", "m2", "--output", "json").lines
    assert document["client_id"] == "d1"
    assert document["client_secret"] == "s3cret"
    assert document["client"]["scopes"] == ["d1-notify"]
    request = core.requests[-1]
    assert list(request.merchant_ids) == ["m1", "m2"]
    assert len(request.request_id) == 36
    assert mintmark(*arguments).out.splitlines() == ["client_id: d1", "client_secret: s3cret"]


def test_a_secret_taken_over_is_repeated_for_scripts_only(mintmark: Command, core: FakeCore) -> None:
    arguments = ("clients", "create", "d1", "--scope", "d1-notify", "--secret-stdin", "--weak")
    (document,) = mintmark(*arguments, "--output", "json", stdin="1:2\n").lines
    assert (document["client_id"], document["client_secret"]) == ("d1", "1:2")
    request = core.requests[-1]
    assert (request.taken_over_secret, request.allow_weak_secret) == ("1:2", True)
    assert "1:2" not in mintmark(*arguments, stdin="1:2").out


def test_rotation_and_update_of_a_client(mintmark: Command, core: FakeCore) -> None:
    result = mintmark("clients", "rotate", "a@b", "--old-secret-lifetime", "30m", "--output", "json")
    assert result.lines[0]["client_secret"] == "new"
    assert (core.requests[-1].name, core.requests[-1].old_secret_lifetime.seconds) == ("clients/a%40b", 1800)
    mintmark("clients", "update", "clients/c", "--scope", "tokens.read", "--merchant", "", "--display-name", "C")
    request = core.requests[-1]
    assert request.client == clients_pb2.Client(name="clients/c", scopes=["tokens.read"], display_name="C")
    assert list(request.update_mask.paths) == ["scopes", "merchant_ids", "display_name"]


def test_an_api_key(mintmark: Command, core: FakeCore) -> None:
    arguments = ("api-keys", "create", "tsh", "--merchant-gateway", "TSH_000001")
    assert mintmark(*arguments, "--output", "json").lines[0]["api_key"] == "k3y"
    assert mintmark(*arguments).out == "api_key: k3y\n"
    taken = mintmark(*arguments, "--secret-stdin", "--output", "json", stdin="c03f88fe-01ba-11e8-ba89-0ed5f89f718b")
    assert taken.lines[0]["api_key"] == "c03f88fe-01ba-11e8-ba89-0ed5f89f718b"
    assert taken.lines[0]["description"]["apiKeyId"] == "tsh"


def test_tokens_are_imported_from_lines(mintmark: Command, core: FakeCore, tmp_path: Path) -> None:
    lines = [
        {"merchantGatewayId": "MGW_000001", "merchantId": "m", "tokenId": f"t{number}", "provider": "D1_ECOM"}
        for number in range(1500)
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\n\n"
    (total,) = mintmark("tokens", "import", "--output", "json", stdin=text).lines
    assert total == {"createdCount": 1498, "existingCount": 2}
    assert [len(request.tokens) for request in core.requests] == [1000, 500]
    file = tmp_path / "tokens.jsonl"
    file.write_text('{"merchant_gateway_id": "g", "token_id": "t", "provider": "tsh", "card": {"bin": "453421"}}')
    assert mintmark("tokens", "import", str(file)).code == 0
    (entry,) = core.requests[-1].tokens
    assert (entry.provider, entry.card.bin) == (tokens_pb2.TOKEN_PROVIDER_TSH, "453421")


def test_every_wrong_line_of_an_import_is_named_and_nothing_sent(mintmark: Command, core: FakeCore) -> None:
    text = '{"tokenId": "t"}\nnot json\n[1]\n{"nothing": 1, "provider": "VISA"}\n{"tokenId": 5, "card": "x"}\n'
    result = mintmark("tokens", "import", stdin=text)
    assert result.code == 1
    assert not core.requests
    said = [line.strip() for line in result.err.splitlines() if line.strip().startswith("line ")]
    assert [line.split(":")[0] for line in said] == ["line 2", "line 3", "line 4", "line 4", "line 5", "line 5"]
    assert "nothing: there is no such field" in said[2]
    assert "D1_ECOM, TSH" in said[3]


def test_what_the_core_finds_wrong_is_named_by_line(mintmark: Command, core: FakeCore) -> None:
    core.violations = {"tokens[1].merchant_id": "must not be empty"}
    result = mintmark("tokens", "import", stdin='{"tokenId": "a"}\n\n{"tokenId": "b"}\n')
    assert "line 3: merchant_id: must not be empty" in result.err
