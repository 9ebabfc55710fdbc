"""A gateway of the tests: the real process on a real socket, in front of a fake core."""

import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from mintmark.v1 import accounts_pb2, principals_pb2

from adapters.cli.supervisor.probe import get
from tests.adapters.inbound.fake_core import HASH_KEY, FakeCore
from tests.plain import PLAIN
from tests.stack import UNLIMITED
from tests.waiting import eventually

API_KEY = "c03f88fe-01ba-11e8-ba89-0ed5f89f718b"
TAKEN_OVER_KEY = "taken over long ago"
NOTIFY_UPDATE = (
    "/merchant-gateways/MGW_000001/merchants/10610027312/tokens/01fb32ff-5ed0-497f-8835-6af0916f29c0/notify-update"
)
CERTIFIED = NOTIFY_UPDATE.replace("MGW_000001", "MGW_000002")


class Running:
    """A gateway process with a fake core; addresses are free ports."""

    def __init__(self, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mintmark-"))
        self.core = FakeCore(self.folder)
        self._people()
        (self.folder / "gateway.json").write_text(
            json.dumps({"client_id": "role.gateway", "client_secret": "gateway-secret"})
        )
        self.port = _free_port()
        self.admin_socket = self.folder / "admin.sock"
        self.log = self.folder / "log"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Running":
        self.core.start()
        environment = {
            "MINTMARK_HTTP_ADDRESS": f"127.0.0.1:{self.port}",
            "MINTMARK_ADMIN_ADDRESS": f"unix:{self.admin_socket}",
            "MINTMARK_INTERNAL_ADDRESS": self.core.address,
            "MINTMARK_GRPC_ADDRESS": self.core.address,
            "MINTMARK_CREDENTIALS_FILE": str(self.folder / "gateway.json"),
            **UNLIMITED,
            **self._settings,
        }
        command = [sys.executable, "-m", "adapters", "gateway"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stderr=log)
        eventually(lambda: self.admin("/readyz").status_code == 200, 15, "the gateway's start")
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=15, verify=PLAIN)
        return self

    def stop(self) -> None:
        self.client.close()
        self.terminate()
        self.exit_code()
        self.core.stop()
        shutil.rmtree(self.folder)

    def terminate(self) -> None:
        """SIGTERM."""
        assert self._process is not None
        self._process.terminate()

    def exit_code(self) -> int:
        """Waits for the end of the process."""
        assert self._process is not None
        return self._process.wait(15)

    def admin(self, path: str) -> httpx.Response:
        """An answer of the admin address; status 0 while nobody answers there."""
        status, text = get(f"unix:{self.admin_socket}", path, 5)
        return httpx.Response(status, text=text)

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def memory(self) -> int:
        """Resident bytes of the process."""
        assert self._process is not None
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * 4096

    def d1(self, body: Any = None, path: str = NOTIFY_UPDATE, **headers: str) -> httpx.Response:
        """A notify-update with a good access token."""
        sent = {"authorization": f"Bearer {self.core.sign()}", "x-correlation-id": "c-1", **headers}
        content = body if isinstance(body, bytes) else json.dumps(body or {"updateType": "X"}).encode()
        return self.client.post(path, content=content, headers={"content-type": "application/json", **sent})

    def tsh(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """A TSH notification with a good API key."""
        sent = {"authorization": f"APIKEY {API_KEY}", "x-correlation-id": "c-1", **headers}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, headers={"content-type": "application/json", **sent})

    def raw(self, sent: bytes, *, wait: float = 10) -> bytes:
        """Sends bytes on a new connection, and returns all that comes until the other side closes."""
        with self.open(wait) as connection:
            connection.sendall(sent)
            return self.rest(connection)

    def open(self, wait: float = 10) -> socket.socket:
        """A new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=wait)

    def rest(self, connection: socket.socket) -> bytes:
        found = b""
        while True:
            try:
                more = connection.recv(65536)
            except ConnectionResetError:
                return found
            if not more:
                return found
            found += more

    def _people(self) -> None:
        snapshot = self.core.snapshot
        self.core.secrets["d1.partner"] = "s3cret"
        snapshot.clients.add(
            name="clients/d1.partner",
            client_id="d1.partner",
            scopes=["d1-notify"],
            merchant_gateway_ids=["MGW_000001"],
            issuer_ids=["ISSUER0001"],
        )
        snapshot.clients.add(
            name="clients/other",
            client_id="other",
            scopes=["d1-notify"],
            merchant_gateway_ids=["MGW_000009"],
            issuer_ids=["ISSUER0009"],
        )
        snapshot.clients.add(
            name="clients/reader",
            client_id="reader",
            scopes=["tokens.read"],
            merchant_gateway_ids=["*"],
            issuer_ids=["*"],
        )
        snapshot.clients.add(name="clients/all", client_id="all", scopes=["d1-notify"], issuer_ids=["*"])
        snapshot.api_keys.add(
            name="apiKeys/tsh",
            api_key_id="tsh",
            merchant_gateway_id="TSHGW",
            hash=principals_pb2.KEY_HASH_HMAC_SHA256,
            key_hash=hmac.digest(HASH_KEY, API_KEY.encode(), "sha256"),
        )
        snapshot.api_keys.add(
            name="apiKeys/old",
            api_key_id="old",
            merchant_gateway_id="TSHGW",
            hash=principals_pb2.KEY_HASH_SCRYPT,
            key_hash=hashlib.scrypt(
                TAKEN_OVER_KEY.encode(), salt=HASH_KEY, n=16384, r=8, p=1, maxmem=64 * 1024 * 1024, dklen=32
            ),
        )
        snapshot.accounts.add(
            name="partnerAccounts/certified",
            account_id="certified",
            provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ECOM,
            merchant_gateway_id="MGW_000002",
            inbound_authentication=accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE,
        )
        for issuer, common_name in (("ISSUER0002", ""), ("ISSUER0003", "d1.example")):
            snapshot.accounts.add(
                name=f"partnerAccounts/{issuer}",
                account_id=issuer,
                provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER,
                issuer_id=issuer,
                inbound_authentication=accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE,
                client_certificate_common_name=common_name,
            )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
