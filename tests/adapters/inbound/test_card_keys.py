"""The gateway's files of keys: what it starts with, what it refuses, and what counts while a file is bad."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from adapters.inbound.card_keys import CardKeys
from adapters.inbound.card_metrics import CardMetrics
from adapters.inbound.problems import Problem
from adapters.jose import key_files
from adapters.jose.hash_keys import new_hash_key
from adapters.jose.keys import new_key
from adapters.settings import Settings, SettingsInvalid

FIRST, SECOND = new_key("first"), new_key("second")
HASH_KEY = new_hash_key("hashes-1")
CARD_KEYS, HASH_KEYS = "card_keys.json", "card_number_hash_keys.json"


class Folder:
    """A data folder with both files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.registry = CollectorRegistry()
        self.metrics = CardMetrics(self.registry)
        self.write(FIRST)

    def write(self, *keys: dict[str, str]) -> None:
        key_files.write(self.path / CARD_KEYS, json.dumps({"keys": keys}))
        key_files.write(self.path / HASH_KEYS, json.dumps({"keys": [HASH_KEY]}))

    def keys(self, **settings: Any) -> CardKeys:
        return CardKeys(Settings(data_dir=self.path, **settings), self.metrics)

    def counted(self, name: str, use: str) -> float:
        return self.registry.get_sample_value(name, {"use": use}) or 0.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def spoilt(file: Path) -> list[Callable[[], object]]:
    """Ways in which a file goes bad."""
    return [
        lambda: file.chmod(0o640),
        lambda: file.write_text("{}"),
        lambda: file.write_bytes(b"\xff"),
        lambda: file.write_text('{"keys": [{"kid": "x", "d": "secret-of-the-file"}]}'),
        lambda: key_files.write(file, "x" * 70_000),
    ]


@pytest.mark.parametrize("name", [CARD_KEYS, HASH_KEYS])
@pytest.mark.parametrize("way", range(5))
def test_a_bad_file_ends_the_start(folder: Folder, name: str, way: int) -> None:
    spoilt(folder.path / name)[way]()
    with pytest.raises(SettingsInvalid) as refused:
        folder.keys()
    assert name in str(refused.value)
    assert "secret-of-the-file" not in str(refused.value)
    assert FIRST["d"] not in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "variable"),
    [
        ("card_keys_file", "MINTMARK_CARD_KEYS_FILE"),
        ("card_number_hash_keys_file", "MINTMARK_CARD_NUMBER_HASH_KEYS_FILE"),
    ],
)
def test_a_file_that_is_named_must_be_there(folder: Folder, setting: str, variable: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"{variable}: .*absent.json: is not there"):
        folder.keys(**{setting: folder.path / "absent.json"})


@pytest.mark.parametrize("name", [CARD_KEYS, HASH_KEYS])
def test_without_a_file_there_are_no_keys_until_it_comes(folder: Folder, name: str) -> None:
    (folder.path / name).rename(folder.path / "elsewhere")
    keys = folder.keys()
    with pytest.raises(Problem) as refused:
        keys.needed()
    assert refused.value.answer.status == 503
    (folder.path / "elsewhere").rename(folder.path / name)
    keys.look()
    assert keys.needed().kids == {"first"}


@pytest.mark.parametrize(("name", "use"), [(CARD_KEYS, "encryption"), (HASH_KEYS, "hashing")])
@pytest.mark.parametrize("way", range(6))
def test_a_file_that_turns_bad_leaves_the_keys_as_they_are(folder: Folder, name: str, use: str, way: int) -> None:
    keys = folder.keys()
    held = keys.needed()
    file = folder.path / name
    [*spoilt(file), file.unlink][way]()
    for _ in range(3):
        keys.look()
    assert keys.needed() is held
    assert folder.counted("mintmark_card_key_files_refused_total", use) == 1
    folder.write(SECOND, FIRST)
    keys.look()
    assert keys.needed().recipient.kid == "second"
    assert folder.counted("mintmark_card_keys", "encryption") == 2


def test_a_change_is_told_to_who_waits(folder: Folder) -> None:
    keys = folder.keys()

    async def run() -> list[bool]:
        waiting = [asyncio.create_task(keys.change(20)) for _ in range(2)]
        await asyncio.sleep(0)
        keys.look()
        nothing = await keys.change(0.01)
        folder.write(SECOND)
        keys.look()
        return [nothing, *(await asyncio.gather(*waiting)), await keys.change(0.01)]

    assert asyncio.run(run()) == [False, True, True, False]
    assert keys.needed().public_jwks["keys"][0]["kid"] == "second"


def test_nothing_shows_a_key(folder: Folder) -> None:
    shown = repr(folder.keys().needed())
    assert FIRST["d"] not in shown
    assert HASH_KEY["key"] not in shown
