"""Roles started one by one, as an operator does who runs each in its own place."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.plain import PLAIN
from tests.stack import COMMAND, free_ports
from tests.waiting import eventually


class Operator:
    """Types commands on one machine with an empty data folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        core, http = free_ports(2)
        self.folder = folder
        self.http_url = f"http://127.0.0.1:{http}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "MINTMARK_DATA_DIR": str(folder / "data"),
            "MINTMARK_GRPC_ADDRESS": f"127.0.0.1:{core}",
            "MINTMARK_HTTP_ADDRESS": f"127.0.0.1:{http}",
            **settings,
        }

    def types(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(COMMAND), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=30
        )

    @contextmanager
    def running(self, *roles: str, **settings: Mapping[str, str]) -> Iterator[None]:
        """These roles, each ready before the next one starts; stopped in the opposite order. Settings are by role."""
        with ExitStack() as stack:
            for role in roles:
                stack.enter_context(self._running(role, settings.get(role, {})))
            yield

    @contextmanager
    def _running(self, role: str, settings: Mapping[str, str]) -> Iterator[None]:
        admin = f"127.0.0.1:{free_ports(1)[0]}"
        environment = {**self.environment, "MINTMARK_ADMIN_ADDRESS": admin, **settings}
        with (self.folder / f"{role}.log").open("ab") as log:
            process = subprocess.Popen([str(COMMAND), role], env=environment, cwd=self.folder, stderr=log)
        try:
            eventually(lambda: ready(admin), 20, f"the start of {role}")
            yield
        finally:
            process.terminate()
            assert process.wait(20) == 0

    def ids(self, *arguments: str, field: str) -> list[str]:
        listed = self.types("--output", "json", *arguments)
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line)[field] for line in listed.stdout.splitlines()]


def ready(admin: str) -> bool:
    try:
        return httpx.get(f"http://{admin}/readyz", timeout=2, verify=PLAIN).status_code == 200
    except httpx.TransportError:
        return False
