"""The folder of exports: whole files or none."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.archive import LEFT_BEHIND_S, ArchiveFolder


def test_a_file_is_whole_and_its_owners_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ArchiveFolder(tmp_path).write("a.jsonl", ['{"a": 1}', '{"a": "ä"}'])
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert (file.name, file.read_text(encoding="utf-8")) == ("a.jsonl", '{"a": 1}\n{"a": "ä"}\n')
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_of_a_file_that_cannot_be_finished_nothing_is_left(tmp_path: Path) -> None:
    def lines() -> Iterator[str]:
        yield "one"
        raise OSError(28, "no room")

    with pytest.raises(OSError, match="no room"):
        ArchiveFolder(tmp_path).write("a.jsonl", lines())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    folder = ArchiveFolder(tmp_path / "absent")
    with pytest.raises(OSError, match="not a folder"):
        folder.check()
    with pytest.raises(FileNotFoundError):
        folder.write("a.jsonl", ["one"])
    (tmp_path / "absent").mkdir()
    folder.check()


def test_a_file_in_place_of_the_folder_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o700)
    with pytest.raises(OSError, match="not a folder"):
        ArchiveFolder(tmp_path / "file").check()


def test_what_a_crash_left_behind_is_taken_away_a_day_later(tmp_path: Path) -> None:
    left, recent, other = (tmp_path / name for name in (".a.jsonl.new", ".b.jsonl.new", ".other"))
    for file in (left, recent, other):
        file.write_text("")
    for file in (left, other):
        then = recent.stat().st_mtime - LEFT_BEHIND_S - 60
        os.utime(file, (then, then))
    ArchiveFolder(tmp_path).write("c.jsonl", [])
    assert {file.name for file in tmp_path.iterdir()} == {".b.jsonl.new", ".other", "c.jsonl"}
