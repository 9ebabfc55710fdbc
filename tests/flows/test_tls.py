"""Roles that reach the core over the network, with TLS on every listener."""

import ipaddress
import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.flows.operating import Operator
from tests.stack import free_ports
from tests.waiting import eventually

HERE = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True)
class Pair:
    """Files with a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for this machine."""

    def __init__(self, folder: Path, common_name: str) -> None:
        self._folder = folder
        self._name = name(common_name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        basic = x509.BasicConstraints(ca=True, path_length=0)
        certificate = self._builder(self._name, self._key).add_extension(basic, critical=True)
        self.file = folder / f"{common_name}.pem"
        self.file.write_bytes(self._signed(certificate))

    def issue(self, common_name: str) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._builder(name(common_name), key).add_extension(HERE, critical=False)
        pair = Pair(self._folder / f"{common_name}.pem", self._folder / f"{common_name}.key")
        pair.certificate.write_bytes(self._signed(certificate))
        private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        pair.key.write_bytes(key.private_bytes(*private))
        return pair

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


def test_a_gateway_on_another_machine_uses_mutual_tls(authority: Authority, tmp_path: Path) -> None:
    core, gateway = authority.issue("core"), authority.issue("gateway")
    internal = f"127.0.0.1:{free_ports(1)[0]}"
    operator = Operator(tmp_path, MINTMARK_INTERNAL_ADDRESS=internal, MINTMARK_GRPC_CA=str(authority.file))
    of_core = {
        "MINTMARK_GRPC_CERTIFICATE": str(core.certificate),
        "MINTMARK_GRPC_KEY": str(core.key),
        "MINTMARK_INTERNAL_CERTIFICATE": str(core.certificate),
        "MINTMARK_INTERNAL_KEY": str(core.key),
        "MINTMARK_INTERNAL_CLIENT_CA": str(authority.file),
    }
    of_gateway = {
        "MINTMARK_INTERNAL_CERTIFICATE": str(gateway.certificate),
        "MINTMARK_INTERNAL_KEY": str(gateway.key),
        "MINTMARK_HTTP_TLS_CERTIFICATE": str(gateway.certificate),
        "MINTMARK_HTTP_TLS_KEY": str(gateway.key),
        "MINTMARK_HTTP_CLIENT_CA": str(authority.file),
    }
    url = operator.http_url.replace("http:", "https:")
    with operator.running("core", "gateway", core=of_core, gateway=of_gateway):
        (api_key,) = operator.ids("api-keys", "create", "tsh", "--merchant-gateway", "G", field="api_key")
        answer = httpx.post(
            f"{url}/notify-binding-creation",
            json={"merchantId": "shop", "tokenId": "t", "deviceId": "d", "selectedIdvMethod": "NONE"},
            headers={"authorization": f"APIKEY {api_key}"},
            verify=ssl.create_default_context(cafile=authority.file),
        )
        assert answer.status_code == 204, answer.text
        assert operator.ids("bindings", "list", field="deviceId") == ["d"]
        accept_d1_with(operator, "d1.example")
        right, other = authority.issue("d1.example"), authority.issue("d2.example")
        eventually(lambda: answer_to_d1(url, authority.file, right) == 204, 5, "the account's arrival at the gateway")
        assert answer_to_d1(url, authority.file, other) in {401, 403}
        assert answer_to_d1(url, authority.file, None) in {401, 403}
        assert reaches(internal, authority.file, gateway)
        assert not reaches(internal, authority.file, None)
        stranger = Authority(tmp_path, "another").issue("stranger")
        assert not reaches(internal, authority.file, stranger)


def accept_d1_with(operator: Operator, common_name: str) -> None:
    """Makes MGW_000001 ours, for a D1 with a certificate of this name."""
    account = {
        "account_id": "d1",
        "provider": "D1_ECOM",
        "merchant_gateway_id": "MGW_000001",
        "inbound_authentication": "CERTIFICATE",
        "client_certificate_common_name": common_name,
    }
    file = operator.folder / "accounts.json"
    file.write_text(json.dumps([account]))
    applied = operator.types("accounts", "apply", str(file))
    assert applied.returncode == 0, applied.stderr


def answer_to_d1(url: str, authority: Path, pair: Pair | None) -> int:
    context = ssl.create_default_context(cafile=authority)
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    path = "/merchant-gateways/MGW_000001/merchants/10610027312/tokens/t/notify-update"
    with httpx.Client(verify=context) as client:
        return client.post(url + path, json={"updateType": "X"}, headers={"x-correlation-id": "1"}).status_code


def reaches(address: str, authority: Path, pair: Pair | None) -> bool:
    """Whether a caller with this certificate gets as far as the internal listener's health."""
    credentials = grpc.ssl_channel_credentials(
        authority.read_bytes(),
        pair.key.read_bytes() if pair else None,
        pair.certificate.read_bytes() if pair else None,
    )
    with grpc.secure_channel(address, credentials) as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)
        except grpc.RpcError:
            return False
    return True


def test_a_network_address_without_certificates_is_refused(tmp_path: Path) -> None:
    refused = Operator(tmp_path, MINTMARK_INTERNAL_ADDRESS="127.0.0.1:1").types("core")
    assert refused.returncode == 2
    assert "MINTMARK_INTERNAL_CLIENT_CA" in refused.stderr
