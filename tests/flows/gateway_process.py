"""A gateway process in front of a core."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx

from adapters.cli.supervisor.probe import get
from tests.server.rpc.running import RunningCore
from tests.stack import free_ports
from tests.waiting import eventually

G = TypeVar("G", bound="Gateway")


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
            **self.settings(),
        }
        with self.log.open("ab") as file:
            self.process = subprocess.Popen([sys.executable, "-m", "adapters", "gateway"], env=environment, stderr=file)

    def settings(self) -> dict[str, str]:
        """More settings of its own."""
        return {}


@contextmanager
def gateway_of(core: RunningCore, of: type[G]) -> Iterator[G]:
    """Starts one, and stops it at the end."""
    running = of(core)
    try:
        eventually(lambda: get(running.admin, "/readyz", 5)[0] == 200, 60, "the start of the gateway")
        yield running
    finally:
        running.client.close()
        running.process.kill()
        running.process.wait(10)
