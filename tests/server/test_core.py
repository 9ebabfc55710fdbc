"""A core that starts where it must not, and one that starts beside another."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from server.bootstrap import house_clients
from server.clock import SystemClock
from server.core import Core
from server.domain import clients, names
from server.domain.callers import Reach
from server.domain.events import EventKind
from server.domain.scopes import INTERNAL
from server.ids import RandomIds
from server.keys import keyring
from server.keys.hashing import Hasher
from server.ports import Transaction
from server.rpc.listeners import AddressInUse
from server.services.principals import Directory
from server.settings import Settings, SettingsInvalid, load
from server.store.engine import DatabaseUnfit
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
        elsewhere = settings_of(folder.with_name("elsewhere"))
        beside = load({**elsewhere.model_dump(), "internal_address": f"unix:{socket}"})
        with pytest.raises(AddressInUse, match="another process"):
            Core(beside)
        assert socket.stat().st_ino == before
    finally:
        first.stop()
    Core(settings).stop()


def test_a_second_core_on_the_same_sqlite_file_does_not_start(folder: Path) -> None:
    """Neither could know what the other changes."""
    first = Core(settings_of(folder))
    try:
        other = load({**settings_of(folder).model_dump(), "internal_address": f"unix:{folder}/other.sock"})
        with pytest.raises(DatabaseUnfit, match="another process uses it"):
            Core(other)
    finally:
        first.stop()
    Core(settings_of(folder)).stop()


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


def test_a_database_takes_its_own_keyring_only(folder: Path) -> None:
    """With other keys every repeat would be new and no secret would fit."""
    settings = settings_of(folder)
    Core(settings).stop()
    settings.keyring.rename(folder / "own")
    keyring.create(settings.keyring)
    with pytest.raises(DatabaseUnfit, match="another keyring"):
        Core(settings)
    settings.keyring.unlink()
    (folder / "own").rename(settings.keyring)
    for _ in range(2):
        keyring.rotate(settings.keyring)
    Core(settings).stop()


def test_a_database_that_is_gone_is_not_begun_anew(folder: Path) -> None:
    settings = settings_of(folder)
    Core(settings).stop()
    file = folder / "mintmark.sqlite"
    file.rename(folder / "elsewhere")
    with pytest.raises(DatabaseUnfit, match="the database is gone"):
        Core(settings)
    assert not file.exists()
    (folder / "elsewhere").rename(file)
    Core(settings).stop()


class SteppedClock(SystemClock):
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def test_principals_are_read_again_when_the_feed_is_silent(folder: Path) -> None:
    """Another core's change holds here within 5 s, whatever becomes of the thread that brings its events."""
    settings = settings_of(folder)
    Core(settings).stop()
    clock = SteppedClock()
    here, there = SqlStore(settings.database), SqlStore(settings.database)
    try:
        directory = Directory(here, clock)
        assert names.client("orders") not in directory.principals.clients
        orders = clients.new("orders", "", ("tokens.read",), Reach(), clock.now())
        there.write("clients", lambda transaction: transaction.clients.insert([orders]))
        assert names.client("orders") not in directory.principals.clients
        clock.ahead = 4.0
        assert names.client("orders") in directory.principals.clients
    finally:
        here.close()
        there.close()


def test_the_administrator_of_an_earlier_version_gets_the_scopes_that_are_new(folder: Path) -> None:
    settings = settings_of(folder)
    Core(settings).stop()
    store = SqlStore(settings.database)
    name = names.client(clients.ADMIN)

    def forget(transaction: Transaction) -> None:
        admin = transaction.clients.get(name)
        assert admin is not None
        transaction.clients.update([replace(admin, scopes=("clients.read", "tokens.read"))])

    store.write(name, forget)
    store.close()
    for _ in range(2):
        core = Core(settings)
        try:
            admin = core.store.view.client(name)
            head = core.store.view.bounds()[1]
            (told,) = [event for event in core.store.view.events(0, 100) if event.kind is EventKind.CLIENT_UPDATED]
        finally:
            core.stop()
        assert admin is not None
        assert set(admin.scopes) == INTERNAL
        assert (told.resource, told.sequence) == (name, head)
