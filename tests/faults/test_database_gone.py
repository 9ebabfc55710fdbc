"""The database gone, its disk full, the core silent: partners are told to come back, nothing acknowledged is lost."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import tracing
from tests.faults.core_process import REPOSITORY
from tests.faults.pair import LONGEST_ANSWER, Pair
from tests.postgres import Postgres

FILES = ("mintmark.sqlite", "mintmark.sqlite-wal", "mintmark.sqlite-shm")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A core on SQLite with a gateway. Each test leaves it working."""
    made = Pair()
    try:
        yield made.start()
    finally:
        made.remove()


@contextmanager
def _aside(pair: Pair) -> Iterator[Path]:
    """The database's files moved to another folder for a while."""
    folder = pair.folder / "aside"
    folder.mkdir()
    present = [name for name in FILES if (pair.data / name).exists()]
    for name in present:
        (pair.data / name).rename(folder / name)
    try:
        yield folder
    finally:
        for name in FILES:
            (pair.data / name).unlink(missing_ok=True)
        for name in present:
            (folder / name).rename(pair.data / name)
        folder.rmdir()


def test_the_file_is_gone(pair: Pair) -> None:
    assert pair.partner.send_many() == {204}
    with _aside(pair):
        pair.partner.is_refused()
        assert not (pair.data / FILES[0]).exists(), "a new and empty database was made"
    pair.partner.works_again()


@pytest.mark.parametrize("content", [b"", b"this is no database" * 1000])
def test_the_file_was_replaced(pair: Pair, content: bytes) -> None:
    with _aside(pair):
        (pair.data / FILES[0]).write_bytes(content)
        pair.partner.is_refused()
        # SQLite gives an empty file a header; what is not its own it leaves alone.
        assert not content or (pair.data / FILES[0]).read_bytes() == content
    pair.partner.works_again()


def test_the_file_may_not_grow(pair: Pair) -> None:
    """As on a full disk, and without root: no file of the core may grow past what the log of SQLite has now."""
    assert pair.process is not None
    pair.partner.works_again()
    size = (pair.data / FILES[1]).stat().st_size
    usual = resource.prlimit(pair.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pair.process.pid, resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        pair.partner.is_refused()
    finally:
        resource.prlimit(pair.process.pid, resource.RLIMIT_FSIZE, usual)
    pair.partner.works_again()


def test_the_disk_is_full() -> None:
    if os.geteuid() != 0:
        pytest.skip("a small file system needs root")
    pair = Pair()
    try:
        pair.data.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", pair.data], capture_output=True, check=False
        )
        if mounted.returncode != 0:
            pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.decode().strip()}")
        try:
            pair.start()
            assert pair.partner.send_many() == {204}
            filler = pair.data / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(pair.data).free))
            pair.partner.is_refused()
            filler.unlink()
            pair.partner.works_again()
        finally:
            pair.kill()
            subprocess.run(["umount", "-l", pair.data], check=True)
    finally:
        pair.remove()


def test_the_core_is_silent(pair: Pair) -> None:
    """The gateway answers within its bound, and at once where it need not ask."""
    assert pair.process is not None
    pair.signal(signal.SIGSTOP)
    try:
        assert pair.partner.send_many(8) == {503}
        began = time.monotonic()
        assert pair.http.get("/.well-known/nothing").status_code == 404
        assert pair.http.post("/notify-binding-creation", content=b"{").status_code in (401, 415, 503)
        assert time.monotonic() - began < 1
    finally:
        pair.signal(signal.SIGCONT)
    pair.partner.works_again()


def test_the_core_is_gone(pair: Pair) -> None:
    pair.kill()
    began = time.monotonic()
    assert pair.partner.send_many(8) == {503}
    assert time.monotonic() - began < LONGEST_ANSWER
    pair.launch()
    assert pair.ready()
    pair.partner.works_again()


@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_postgresql_is_gone(postgres: Postgres, postgres_database: str, ends: str) -> None:
    pair = Pair(MINTMARK_DATABASE_URL=postgres_database)
    try:
        pair.data.mkdir()
        command = [sys.executable, "-m", "server", "keyring", "create", str(pair.data / "keyring.json")]
        subprocess.run(command, check=True, cwd=REPOSITORY, env=pair.environment)
        pair.start()
        assert pair.partner.send_many() == {204}
        getattr(postgres, ends)()
        try:
            pair.partner.is_refused()
        finally:
            postgres.start()
        pair.partner.works_again()
    finally:
        pair.remove()


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("call", "first", "error"),
    [
        ("fdatasync", 1, "EIO"),
        ("fdatasync", 1, "ENOSPC"),
        # The first writes are those of the start.
        ("pwrite64", 40, "ENOSPC"),
        ("pwrite64", 40, "EIO"),
    ],
)
def test_the_disk_fails_now_and_then(call: str, first: int, error: str) -> None:
    """Every fifth sync or write of each thread fails: what is acknowledged all the same is there after a restart."""
    tracing.needed()
    pair = Pair()
    try:
        pair.start()
        pair.kill()
        pair.launch(before=tracing.breaking(pair.folder / "trace", call, f"error={error}:when={first}+5"))
        assert pair.ready()
        for _ in range(5):
            pair.partner.send_many(40)
        pair.kill()
        pair.launch()
        assert pair.ready()
        pair.partner.works_again()
        assert pair.partner.statuses[503] > 0
    finally:
        pair.remove()
