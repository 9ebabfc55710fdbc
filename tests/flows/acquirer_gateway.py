"""A gateway process in front of a core, and a caller that sends it what the acquirer would."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from adapters.cli.supervisor.probe import get
from tests.server.rpc.acquiring import Envelope, Merchant, said, sealed
from tests.server.rpc.running import RunningCore
from tests.stack import free_ports
from tests.waiting import eventually


class Gateway:
    """A gateway process in front of a core."""

    def __init__(self, core: RunningCore) -> None:
        self.core = core
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        self.log = core.folder / "gateway.log"
        self.admin = f"unix:{core.folder}/gateway.sock"
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=20)
        environment = {
            "PATH": os.environ["PATH"],
            "MINTMARK_DATA_DIR": str(core.folder / "data"),
            "MINTMARK_HTTP_ADDRESS": self.url.removeprefix("http://"),
            "MINTMARK_INTERNAL_ADDRESS": core.settings.internal_listener,
            "MINTMARK_GRPC_ADDRESS": core.settings.grpc_address,
            "MINTMARK_ADMIN_ADDRESS": self.admin,
        }
        with self.log.open("ab") as file:
            self.process = subprocess.Popen([sys.executable, "-m", "adapters", "gateway"], env=environment, stderr=file)

    def post(self, config_id: str, envelope: Envelope, **headers: str) -> httpx.Response:
        sent = {
            "x-initialization-vector": base64.b64encode(envelope.initialization_vector).decode(),
            "x-authentication-tag": base64.b64encode(envelope.tag).decode(),
            "content-type": "text/plain",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        body = base64.b64encode(envelope.ciphertext)
        return self.client.post(f"/sibs/notifications/{config_id}", content=body, headers=sent)

    def tell(self, merchant: Merchant, **fields: Any) -> httpx.Response:
        return self.post(merchant.config_id, sealed(merchant.key, json.dumps(said(**fields)).encode()))


@contextmanager
def gateway_of(core: RunningCore) -> Iterator[Gateway]:
    running = Gateway(core)
    try:
        eventually(lambda: get(running.admin, "/readyz", 5)[0] == 200, 60, "the start of the gateway")
        yield running
    finally:
        running.client.close()
        running.process.kill()
        running.process.wait(10)
