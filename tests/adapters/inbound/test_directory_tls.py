"""TLS towards an issuer's own system: everywhere but on loopback, both ways where files say so."""

import asyncio
from pathlib import Path

import grpc
import pytest
from mintmark.v1 import principals_pb2
from prometheus_client import CollectorRegistry

from adapters.clock import Clock
from adapters.inbound.directory import AskedBy, CardDirectories
from adapters.inbound.directory_failures import DirectoryUnavailable
from adapters.inbound.directory_metrics import DirectoryMetrics
from adapters.inbound.directory_tls import DirectoryTls, on_loopback
from adapters.inbound.principals import Principals
from adapters.settings import SettingsInvalid, load
from tests.adapters.inbound.fake_directory import FakeDirectory
from tests.adapters.inbound.test_tls import openssl

ISSUER = "ISSUER0001"
# This machine too, and not loopback.
ELSEWHERE = "0.0.0.0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities, a server's certificate by the first, and a client's by each."""
    folder = tmp_path_factory.mktemp("authorities")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    for authority, names in (("ca", ("server", "ours")), ("another", ("foreign",))):
        files = ("-keyout", f"{authority}.key", "-out", f"{authority}.pem")
        openssl(folder, "req", "-x509", *key, *files, "-subj", f"/CN={authority}")
        for name in names:
            issued = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key")
            files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
            names_it = ("-addext", f"subjectAltName=IP:{ELSEWHERE}", "-subj", f"/CN={name}")
            openssl(folder, "req", "-x509", *key, *files, *issued, *names_it)
    return folder


def credentials(folder: Path) -> grpc.ServerCredentials:
    """Of a server that wants a certificate of the first authority's."""
    pair = ((folder / "server.key").read_bytes(), (folder / "server.pem").read_bytes())
    return grpc.ssl_server_credentials([pair], (folder / "ca.pem").read_bytes(), require_client_auth=True)


def tls(folder: Path, authority: str, certificate: str) -> DirectoryTls:
    settings = {
        "directory_ca_file": authority and str(folder / f"{authority}.pem"),
        "directory_certificate_file": certificate and str(folder / f"{certificate}.pem"),
        "directory_key_file": certificate and str(folder / f"{certificate}.key"),
    }
    return DirectoryTls.of(load({name: value for name, value in settings.items() if value}))


def reached(directory: FakeDirectory, host: str, trusting: DirectoryTls) -> bool:
    principals = Principals(Clock())
    account = directory.account(ISSUER, host)
    principals.apply(principals_pb2.WatchPrincipalsResponse(snapshot=True, snapshot_complete=True, accounts=[account]))

    async def asked() -> bool:
        directories = CardDirectories(
            principals, lambda _: pytest.fail("nothing to open"), trusting, DirectoryMetrics(CollectorRegistry())
        )
        try:
            await directories.consumer(AskedBy(ISSUER, "c-1"), "consumer-7", "")
        except DirectoryUnavailable:
            return False
        finally:
            await directories.close()
        return True

    return asyncio.run(asked())


def test_both_sides_show_who_they_are(folder: Path) -> None:
    directory = FakeDirectory().start(credentials(folder), ELSEWHERE)
    try:
        assert reached(directory, ELSEWHERE, tls(folder, "ca", "ours"))
        assert not reached(directory, ELSEWHERE, tls(folder, "another", "ours"))
        assert not reached(directory, ELSEWHERE, tls(folder, "", "ours")), "the system does not know the authority"
        assert not reached(directory, ELSEWHERE, tls(folder, "ca", ""))
        assert not reached(directory, ELSEWHERE, tls(folder, "ca", "foreign"))
        assert len(directory.asked) == 1
    finally:
        directory.stop()


def test_plain_is_for_loopback_alone(folder: Path) -> None:
    directory = FakeDirectory().start(host=ELSEWHERE)
    try:
        assert reached(directory, "127.0.0.1", tls(folder, "ca", "ours"))
        assert not reached(directory, ELSEWHERE, tls(folder, "ca", "ours"))
        assert len(directory.asked) == 1
    finally:
        directory.stop()


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("localhost:1", True),
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost.example.com:1", False),
        ("127.0.0.1.example.com:1", False),
        ("127.1:1", False),
        ("10.0.0.1:1", False),
        ("[::]:1", False),
        (f"{ELSEWHERE}:1", False),
        ("unix:1", False),
    ],
)
def test_what_loopback_is(address: str, loopback: bool) -> None:
    assert on_loopback(address) is loopback


def test_files_are_read_when_the_gateway_starts(folder: Path) -> None:
    with pytest.raises(SettingsInvalid, match="MINTMARK_DIRECTORY_"):
        tls(folder, "lost", "")
    with pytest.raises(SettingsInvalid, match="MINTMARK_DIRECTORY_KEY_FILE"):
        load({"directory_certificate_file": "c.pem"})


@pytest.mark.parametrize("spoilt", ["ca", "certificate", "key"])
@pytest.mark.parametrize("content", ["", "no PEM", "another's"])
def test_a_file_that_cannot_be_used_stops_the_start_and_no_call(
    folder: Path, tmp_path: Path, spoilt: str, content: str
) -> None:
    """With an empty key gRPC would end the gateway when D1 calls, and with an empty authority trust the system's."""
    files = {"ca": folder / "ca.pem", "certificate": folder / "ours.pem", "key": folder / "ours.key"}
    bad = tmp_path / "bad.pem"
    anothers = folder / ("foreign.pem" if spoilt == "certificate" else "foreign.key")
    bad.write_text(anothers.read_text() if content == "another's" else content)
    settings = {f"directory_{name}_file": str(bad if name == spoilt else path) for name, path in files.items()}
    with pytest.raises(SettingsInvalid, match="MINTMARK_DIRECTORY_") as told:
        DirectoryTls.of(load(settings))
    assert "PRIVATE" not in str(told.value)
