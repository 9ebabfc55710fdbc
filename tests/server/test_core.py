"""A core that starts where it must not, and one that starts beside another."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.bootstrap import house_clients
from server.clock import SystemClock
from server.core import Core
from server.domain import names
from server.ids import RandomIds
from server.keys import keyring
from server.keys.hashing import Hasher
from server.rpc.listeners import AddressInUse
from server.settings import Settings, SettingsInvalid, load
from server.store.migrate import upgrade
from server.store.store import SqlStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def settings_of(folder: Path) -> Settings:
    return load(
        {
            "data_dir": folder,
            "grpc_address": "127.0.0.1:0",
            "admin_address": "127.0.0.1:0",
            "database_url": "",
        }
    )


def test_a_lost_keyring_is_not_made_anew_over_data(folder: Path) -> None:
    settings = settings_of(folder)
    Core(settings).stop()
    settings.keyring.rename(folder / "elsewhere")
    with pytest.raises(SettingsInvalid, match="bring it back"):
        Core(settings)
    assert not settings.keyring.exists()
    (folder / "elsewhere").rename(settings.keyring)
    Core(settings).stop()


def test_a_second_core_leaves_the_socket_of_the_first_alone(folder: Path) -> None:
    settings = settings_of(folder)
    first = Core(settings)
    try:
        socket = settings.run_dir / "internal.sock"
        before = socket.stat().st_ino
        with pytest.raises(AddressInUse, match="another process"):
            Core(settings)
        assert socket.stat().st_ino == before
    finally:
        first.stop()
    Core(settings).stop()


def test_an_admin_address_in_use_is_told_and_the_rest_let_go(folder: Path) -> None:
    settings = settings_of(folder)
    wrong = load({**settings.model_dump(), "admin_address": f"unix:{folder}/absent/admin.sock"})
    with pytest.raises(AddressInUse, match="admin"):
        Core(wrong)
    Core(settings).stop()


def test_cores_that_begin_together_on_one_folder_leave_credentials_that_work(folder: Path) -> None:
    settings = settings_of(folder)
    folder.mkdir()
    keyring.create(settings.keyring)
    upgrade(settings.database)
    hasher, clock, ids = Hasher(keyring.load(settings.keyring)), SystemClock(), RandomIds()
    stores = [SqlStore(settings.database) for _ in range(4)]
    try:
        with ThreadPoolExecutor(len(stores)) as pool:
            list(pool.map(lambda store: house_clients(settings, store, hasher, clock, ids), stores))
        for client_id in ("admin", "role.gateway", "role.dispatcher"):
            secret = json.loads(settings.credentials(client_id).read_text())["client_secret"]
            client = stores[0].view.client(names.client(client_id))
            assert client
            (held,) = client.secrets
            assert hasher.verify_client_secret(secret, held.secret_hash, taken_over=held.taken_over)
    finally:
        for store in stores:
            store.close()
