"""The listeners' TLS: the internal one opens for roles with a certificate only, the public one can be encrypted."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc

from adapters.core import Tls, channel
from server.core import Core
from server.settings import SettingsInvalid, load
from tests.server.certificates import Authority


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Secured:
    public: str
    internal: str
    authority: Authority
    credentials: tuple[str, str]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder, "authority")
    certificate, key = authority.issue("core")
    public, internal = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    core = Core(
        load(
            {
                "data_dir": folder / "data",
                "grpc_address": public,
                "internal_address": internal,
                "admin_address": f"unix:{folder / 'admin.sock'}",
                "grpc_certificate": certificate,
                "grpc_key": key,
                "internal_certificate": certificate,
                "internal_key": key,
                "internal_client_ca": authority.file,
            }
        )
    )
    document = json.loads((folder / "data" / "credentials" / "role.gateway.json").read_text())
    yield Secured(public, internal, authority, (document["client_id"], document["client_secret"]))
    core.stop()


def issue(address: str, tls: Tls, credentials: tuple[str, str]) -> str:
    with channel(address, tls) as connection:
        answer = access_tokens_pb2_grpc.AccessTokensServiceStub(connection).IssueAccessToken(
            access_tokens_pb2.IssueAccessTokenRequest(client_id=credentials[0], client_secret=credentials[1]),
            timeout=5,
        )
    return str(answer.token_type)


def test_a_role_with_a_certificate_gets_in(secured: Secured) -> None:
    certificate, key = secured.authority.issue("gateway")
    assert issue(secured.internal, Tls(secured.authority.file, certificate, key), secured.credentials) == "Bearer"


def test_nobody_gets_in_without_a_certificate(secured: Secured) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        issue(secured.internal, Tls(secured.authority.file), secured.credentials)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_nobody_gets_in_with_another_authoritys_certificate(secured: Secured, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "stranger").issue("gateway")
    with pytest.raises(grpc.RpcError) as refused:
        issue(secured.internal, Tls(secured.authority.file, certificate, key), secured.credentials)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_public_listener_is_encrypted(secured: Secured) -> None:
    assert issue(secured.public, Tls(secured.authority.file), secured.credentials) == "Bearer"
    with pytest.raises(grpc.RpcError) as refused:
        issue(secured.public, Tls(), secured.credentials)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_network_address_for_the_internal_listener_needs_certificates() -> None:
    with pytest.raises(SettingsInvalid, match="MINTMARK_INTERNAL_ADDRESS: a network address needs"):
        load({"internal_address": "127.0.0.1:5000"})
