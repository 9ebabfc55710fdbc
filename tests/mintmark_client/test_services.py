"""The nouns, against a real core."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc, clients_pb2, clients_pb2_grpc, tokens_pb2

from mintmark_client import (
    AlreadyExists,
    Client,
    Forbidden,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Tls,
    Unavailable,
)
from server.core import Core
from server.settings import load
from tests.flows.test_tls import Authority
from tests.mintmark_client.conftest import Connect
from tests.mintmark_client.fake_network import FakeNetwork
from tests.server.rpc import notices
from tests.server.rpc.refreshing import open_gateway
from tests.server.rpc.running import RunningCore, request_id, running_core
from tests.stack import free_ports
from tests.waiting import eventually


def imports(place: str, *token_ids: str) -> list[tokens_pb2.TokenImport]:
    provider = tokens_pb2.TOKEN_PROVIDER_TSH
    return [
        tokens_pb2.TokenImport(merchant_gateway_id=place, merchant_id="m-1", token_id=each, provider=provider)
        for each in token_ids
    ]


def test_tokens_are_imported_read_disabled_and_enabled(client: Client, place: str) -> None:
    assert client.tokens.import_(imports(place, "a", "b", "c")).created_count == 3
    listed = list(client.tokens.list(parent=f"merchantGateways/{place}/merchants/-", page_size=2))
    assert [token.token_id for token in listed] == ["a", "b", "c"]
    assert list(client.tokens.list(refresh_due=True)) == []
    name = listed[0].name
    with pytest.raises(PreconditionFailed) as caught:
        client.tokens.disable(name, "stolen", etag="old")
    assert (caught.value.reason, caught.value.metadata) == ("ETAG_MISMATCH", {"resource": name})
    disabled = client.tokens.disable(name, "stolen", etag=client.tokens.get(name).etag)
    assert disabled.disable_reason == "stolen"
    assert [token.name for token in client.tokens.list(disabled=True)] == [name]
    assert not client.tokens.enable(name).HasField("disable_time")


def test_a_token_is_read_again_where_an_account_says_how(core: RunningCore) -> None:
    gateway = open_gateway(core)
    gateway.notify()
    credentials = core.folder / "data/credentials/admin.json"
    with Client(core.settings.grpc_address, credentials_file=credentials) as administrator:
        assert administrator.tokens.refresh(gateway.name("t-1")).refresh_generation == 2
        silent = open_gateway(core, account=False)
        silent.notify()
        with pytest.raises(PreconditionFailed) as caught:
            administrator.tokens.refresh(silent.name("t-1"))
    assert (caught.value.reason, caught.value.metadata["why"]) == ("REFRESH_NOT_POSSIBLE", "account")


def test_a_write_counts_once_with_its_request_id(client: Client, place: str) -> None:
    own = request_id()
    first = client.tokens.import_(imports(place, "a"), request_id=own)
    assert client.tokens.import_(imports(place, "a"), request_id=own) == first
    assert first.created_count == 1
    with pytest.raises(PreconditionFailed, match="REQUEST_ID_REUSED"):
        client.tokens.import_(imports(place, "b"), request_id=own)


def test_what_partners_reported_is_read(client: Client, core: RunningCore, place: str) -> None:
    key = core.api_key(place, ["m-1"])
    told = (
        notices.tsh(key, "binding_creation", {}, merchant_id="m-1"),
        notices.tsh(key, "merchant_update", {"scheme": "VISA"}, merchant_id="m-1"),
    )
    notices.record(core, *told)
    (binding,) = client.bindings.list(device_id="d-1")
    assert client.bindings.get(binding.name) == binding
    (merchant,) = client.merchants.list()
    assert client.merchants.get(merchant.name).scheme_registrations[0].scheme_text == "VISA"
    notifications = list(client.notifications.list(page_size=1))
    assert [each.correlation_id for each in notifications] == [each.correlation_id for each in reversed(told)]
    assert "VISA" in client.notifications.get(notifications[0].name).redacted_body


def test_refusals_say_what_is_wrong(client: Client, connect: Connect, core: RunningCore, place: str) -> None:
    name = f"merchantGateways/{place}/merchants/m-1/tokens/none"
    with pytest.raises(NotFound) as missing:
        client.tokens.get(name)
    assert missing.value.metadata == {"resource": name}
    with pytest.raises(InvalidRequest) as wrong:
        client.tokens.import_([tokens_pb2.TokenImport(merchant_gateway_id=place)])
    assert {violation.field for violation in wrong.value.violations} >= {"tokens[0].merchant_id", "tokens[0].token_id"}
    made = core.create(["tokens.read"], [place])
    with (
        connect(client_id=made.client.client_id, client_secret=made.client_secret) as reader,
        pytest.raises(Forbidden) as caught,
    ):
        reader.tokens.import_(imports(place, "a"))
    assert caught.value.metadata == {"scope": "tokens.write"}


def test_a_stub_of_any_service_is_authenticated(core: RunningCore) -> None:
    credentials = core.folder / "data/credentials/admin.json"
    with Client(core.settings.grpc_address, credentials_file=credentials) as admin:
        clients = admin.stub(clients_pb2_grpc.ClientsServiceStub)
        request = clients_pb2.CreateClientRequest(client_id=f"stub-{request_id()}", scopes=["tokens.read"])
        assert clients.CreateClient(request).client_secret
        with pytest.raises(AlreadyExists):
            clients.CreateClient(request)


def test_a_revoked_access_token_is_replaced(client: Client, place: str) -> None:
    client.tokens.import_(imports(place, "a"))
    used = client._connection.access_token.get(10, "c")
    revoke = access_tokens_pb2.RevokeAccessTokenRequest(access_token=used)
    client.stub(access_tokens_pb2_grpc.AccessTokensServiceStub).RevokeAccessToken(revoke)
    assert [token.token_id for token in client.tokens.list()] == ["a"]


def test_an_expired_access_token_is_replaced(place: str) -> None:
    with running_core(clock=True) as core:
        made = core.create(["tokens.read", "tokens.write"], [place])
        with Client(
            core.settings.grpc_address, client_id=made.client.client_id, client_secret=made.client_secret
        ) as client:
            client.tokens.import_(imports(place, "a"))
            core.advance(931)
            assert [token.token_id for token in client.tokens.list()] == ["a"]


def test_events_are_listed_up_to_now(client: Client, core: RunningCore, place: str) -> None:
    start = core.admin.head()
    client.tokens.import_(imports(place, "a", "b", "c"))
    events = list(client.events.list(start, page_size=1))
    assert [event.token.token_id for event in events] == ["a", "b", "c"]
    assert [event.token.token_id for event in client.events.list(events[0].cursor)] == ["b", "c"]
    with pytest.raises(InvalidRequest, match="CURSOR_INVALID"):
        list(client.events.list("x"))


def test_a_network_far_away_has_time_to_connect(
    connect: Connect, core: RunningCore, place: str, network: FakeNetwork
) -> None:
    network.freeze()
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(lambda: list(connect(network.address).tokens.list()))
        eventually(lambda: network.connections, what="a connection")
        slow_until = time.monotonic() + 0.5
        eventually(lambda: time.monotonic() > slow_until)
        network.thaw()
        assert answer.result(10) == []
    assert network.connections == 1


def test_a_core_with_tls_is_called_with_its_authority(place: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("core")
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    core = Core(
        load(
            {
                "data_dir": tmp_path / "data",
                "grpc_address": address,
                "admin_address": f"unix:{tmp_path}/admin.sock",
                "shutdown_timeout": 2.0,
                "grpc_certificate": pair.certificate,
                "grpc_key": pair.key,
            }
        )
    )
    credentials = tmp_path / "data/credentials/admin.json"
    try:
        with Client(address, credentials_file=credentials, tls=Tls(authority=authority.file)) as client:
            client.tokens.import_(imports(place, "a"))
            with client.events.stream("0", until_caught_up=True) as events:
                assert "a" in [event.token.token_id for event in events]
        with Client(address, credentials_file=credentials, timeout=0.2) as plain, pytest.raises(Unavailable):
            plain.tokens.get("x")
    finally:
        core.stop()


def test_tls_files_are_read_when_the_client_is_made(core: RunningCore) -> None:
    with pytest.raises(FileNotFoundError):
        Client(core.settings.grpc_address, tls=Tls(authority=core.folder / "none.pem"))
