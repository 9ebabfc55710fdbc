"""TLS of the gateway's own listener, and partners that are known by their certificate."""

import json
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.adapters.inbound.running import CERTIFIED, Running

NAME = "TLSMA-RSA/partner"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A folder with an authority, a server's certificate for 127.0.0.1, and two clients'."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(tmp_path, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority")
    for name, common_name in (("server", "127.0.0.1"), ("partner", NAME.replace("/", "\\/")), ("other", "other")):
        issued = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
        openssl(tmp_path, "req", "-x509", *key, *files, *issued, "-subj", f"/CN={common_name}")
    return tmp_path


def test_a_certificate_stands_for_the_account(authority: Path, start: Callable[..., Running]) -> None:
    gateway = start(
        MINTMARK_HTTP_TLS_CERTIFICATE=str(authority / "server.pem"),
        MINTMARK_HTTP_TLS_KEY=str(authority / "server.key"),
        MINTMARK_HTTP_CLIENT_CA=str(authority / "ca.pem"),
    )
    account = gateway.core.snapshot.accounts[0]
    account.client_certificate_common_name = NAME
    change = type(gateway.core.snapshot)(accounts=[account])
    gateway.core.change(change)

    def send(certificate: str) -> httpx.Response:
        context = ssl.create_default_context(cafile=str(authority / "ca.pem"))
        if certificate:
            context.load_cert_chain(authority / f"{certificate}.pem", authority / f"{certificate}.key")
        with httpx.Client(verify=context) as client:
            return client.post(
                f"https://127.0.0.1:{gateway.port}{CERTIFIED}",
                content=json.dumps({"updateType": "X"}),
                headers={"content-type": "application/json"},
            )

    assert send("partner").status_code == 204
    assert gateway.core.records[0].sender == "partnerAccounts/certified"
    assert send("other").status_code == 401
    assert send("").status_code == 401
