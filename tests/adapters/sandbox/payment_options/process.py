"""The sandbox as a process of its own, to be killed."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.adapters.sandbox.payment_options.merchant import Merchant
from tests.plain import PLAIN
from tests.stack import free_ports
from tests.waiting import eventually


class TwinProcess:
    """`python -m adapters sandbox` on a folder; started again it goes on with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        twin, admin = free_ports(2)
        self.url = f"http://127.0.0.1:{twin}"
        self._environment = {
            "PATH": os.environ["PATH"],
            "MINTMARK_DATA_DIR": str(folder),
            "MINTMARK_SANDBOX_ADDRESS": f"127.0.0.1:{twin}",
            "MINTMARK_ADMIN_ADDRESS": f"127.0.0.1:{admin}",
            "MINTMARK_LOG_LEVEL": "error",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None

    def start(self) -> Merchant:
        """Returns when it answers."""
        self._process = subprocess.Popen([sys.executable, "-m", "adapters", "sandbox"], env=self._environment)
        self._hang_up()
        self._client = client = httpx.Client(base_url=self.url, timeout=20, trust_env=False, verify=PLAIN)
        eventually(lambda: self._answers(client), 30, "the start of the twin")
        return Merchant(client, self.folder)

    def kill(self) -> None:
        """As a crash does."""
        self._hang_up()
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stop(self) -> int:
        """As an operator does. Returns the exit code."""
        assert self._process is not None
        self._hang_up()
        self._process.terminate()
        code = self._process.wait(20)
        self._process = None
        return code

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()

    @staticmethod
    def _answers(client: httpx.Client) -> bool:
        try:
            return client.get("/payment-options/control/state").status_code == 200
        except httpx.TransportError:
            return False
