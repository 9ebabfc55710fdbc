"""A keyring file of mode 0600, and what it holds."""

from pathlib import Path

import pytest

from server.keys import keyring
from server.keys.keyring import Keyring


@pytest.fixture
def keyring_path(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    keyring.create(path)
    return path


@pytest.fixture
def ring(keyring_path: Path) -> Keyring:
    return keyring.load(keyring_path)
