"""Files of keys: only the owner may read them, and they are written whole or not at all."""

import os
import threading
from pathlib import Path

import pytest

from adapters.jose import key_files
from adapters.jose.key_files import KeyFileUnfit
from tests.waiting import eventually


def test_what_is_written_is_read_and_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    before = os.umask(0)
    try:
        key_files.write(file, "one")
        key_files.write(file, "two")
    finally:
        os.umask(before)
    assert key_files.read(file) == "two"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o777])
def test_a_file_that_others_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keys.json"
    key_files.write(file, "secret")
    file.chmod(mode)
    with pytest.raises(KeyFileUnfit, match="run chmod 600") as refused:
        key_files.read(file)
    assert "secret" not in str(refused.value)
    file.chmod(0o400)
    assert key_files.read(file) == "secret"


def test_what_is_no_file_of_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        key_files.read(tmp_path / "absent")
    pipe, large, odd = (tmp_path / name for name in ("pipe", "large", "odd"))
    os.mkfifo(pipe, 0o600)
    key_files.write(large, "x" * (key_files.LARGEST_FILE + 1))
    odd.touch(0o600)
    odd.write_bytes(b"\xff")
    for unfit, why in ((pipe, "not a regular file"), (large, "larger"), (odd, "UTF-8"), (tmp_path, "directory")):
        with pytest.raises(KeyFileUnfit, match=why):
            key_files.read(unfit)


def test_what_cannot_be_written_leaves_all_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key_files.write(file, "one")
    with pytest.raises(UnicodeEncodeError):
        key_files.write(file, "\ud800")
    assert key_files.read(file) == "one"
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


def test_the_file_behind_a_link_is_replaced(tmp_path: Path) -> None:
    link, file = tmp_path / "link", tmp_path / "keys.json"
    key_files.write(file, "one")
    link.symlink_to(file)
    key_files.write(link, "two")
    assert link.is_symlink()
    assert key_files.read(file) == "two"


def test_a_change_shows_in_the_stamp(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    seen = [key_files.stamp(file)]
    key_files.write(file, "one")
    seen.append(key_files.stamp(file))
    key_files.write(file, "two")
    seen.append(key_files.stamp(file))
    file.chmod(0o644)
    seen.append(key_files.stamp(file))
    assert len(set(seen)) == len(seen)


def test_a_file_that_is_given_to_another_owner_has_another_stamp(tmp_path: Path) -> None:
    """As one that somebody else has written, so that nobody could read it until then."""
    file = tmp_path / "keys.json"
    key_files.write(file, "one")
    before = key_files.stamp(file)

    def given() -> bool:
        # To whom it belongs already, which anybody may. The clock of the file system goes in steps.
        os.chown(file, os.getuid(), os.getgid())
        return key_files.stamp(file) != before

    eventually(given, 20, "another stamp")


def test_two_changes_at_once_do_not_lose_one(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "keys.json"

    def append() -> None:
        for _ in range(10):
            with key_files.alone_with(file):
                key_files.write(file, (key_files.read(file) if file.exists() else "") + "x")

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert key_files.read(file) == "x" * 40
