"""The first start: the data folder, the administrator and the roles, each with a credentials file (mode 0600)."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from server.domain import clients, names
from server.domain.scopes import INTERNAL, ROLES
from server.ports import Clock, Hasher, Ids, Store, Transaction
from server.services.clients import NewSecret, bootstrap, grant_new_scopes, new_secret, put_secret
from server.settings import Settings, SettingsInvalid

log = structlog.get_logger("bootstrap")


def folders(settings: Settings) -> None:
    """Makes the data folder and the folder of sockets, for their owner only."""
    for folder in (settings.data_dir, settings.run_dir):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = settings.run_dir.stat().st_uid
    if owner != os.getuid():
        raise SettingsInvalid(f"{settings.run_dir} belongs to another user")


def house_clients(settings: Settings, store: Store, hasher: Hasher, clock: Clock, ids: Ids) -> None:
    """Makes those of the house's own clients that are missing and writes their credentials.

    A role's file that was lost is made anew on embedded defaults; with PostgreSQL the file may be on another machine.
    `MINTMARK_ADMIN_SECRET_FILE` sets the administrator's secret.
    """
    with _alone_in(settings.data_dir):
        _house_clients(settings, store, hasher, clock, ids)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Of several cores that begin on one folder, one at a time: each would write the same files."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _house_clients(settings: Settings, store: Store, hasher: Hasher, clock: Clock, ids: Ids) -> None:
    now = clock.now()
    given = _given_admin_secret(settings)
    missing: dict[str, NewSecret] = {}
    for client_id in (clients.ADMIN, *sorted(ROLES)):
        taken_over = given if client_id == clients.ADMIN else ""
        if store.view.client(names.client(client_id)) is None:
            missing[client_id] = new_secret(hasher, ids, taken_over, allow_weak=False, now=now)
    # The file comes first: a client whose secret nobody has could not be made again.
    for client_id, secret in missing.items():
        write_credentials(settings.credentials(client_id), client_id, secret.shown or given)
    if missing:
        kept = {client_id: secret.kept for client_id, secret in missing.items()}
        made = store.write("clients", lambda transaction: bootstrap(transaction, kept, now))
        for client_id in set(missing) - set(made):
            # Another core was faster, and its file is elsewhere.
            settings.credentials(client_id).unlink(missing_ok=True)
        log.info("house_clients", made=sorted(made))
    admin = store.view.client(names.client(clients.ADMIN))
    if admin is not None and not set(admin.scopes) >= INTERNAL:
        store.write(admin.name, lambda transaction: grant_new_scopes(transaction, now))
        log.info("scopes_granted", client=clients.ADMIN)
    if given and clients.ADMIN not in missing:
        _keep_admin_secret(settings, store, hasher, clock, ids, given)
    if settings.embedded:
        for client_id in sorted(ROLES - set(missing)):
            if not settings.credentials(client_id).exists():
                _replace_secret(settings, store, hasher, clock, ids, client_id)


def _replace_secret(settings: Settings, store: Store, hasher: Hasher, clock: Clock, ids: Ids, client_id: str) -> None:
    now = clock.now()
    secret = new_secret(hasher, ids, "", allow_weak=False, now=now)
    write_credentials(settings.credentials(client_id), client_id, secret.shown)

    def run(transaction: Transaction) -> None:
        put_secret(transaction, client_id, secret.kept, now)

    store.write(names.client(client_id), run)
    log.warning("credentials_replaced", client=client_id)


def _given_admin_secret(settings: Settings) -> str:
    if settings.admin_secret_file is None:
        return ""
    try:
        secret = settings.admin_secret_file.read_text().strip()
    except OSError as error:
        raise SettingsInvalid(f"MINTMARK_ADMIN_SECRET_FILE: cannot be read ({type(error).__name__})") from None
    if len(secret) < clients.SHORTEST_STRONG_SECRET:
        raise SettingsInvalid("MINTMARK_ADMIN_SECRET_FILE: the secret has under 16 characters")
    return secret


def _keep_admin_secret(settings: Settings, store: Store, hasher: Hasher, clock: Clock, ids: Ids, given: str) -> None:
    now = clock.now()
    admin = store.view.client(names.client(clients.ADMIN))
    held = admin.live_secrets(now) if admin else ()
    if not any(hasher.verify_client_secret(given, each.secret_hash, taken_over=each.taken_over) for each in held):
        secret = new_secret(hasher, ids, given, allow_weak=False, now=now)

        def run(transaction: Transaction) -> None:
            put_secret(transaction, clients.ADMIN, secret.kept, now)

        store.write(names.client(clients.ADMIN), run)
        log.warning("credentials_replaced", client=clients.ADMIN)
    write_credentials(settings.credentials(clients.ADMIN), clients.ADMIN, given)


def write_credentials(path: Path, client_id: str, client_secret: str) -> None:
    """Writes a credentials file whole, readable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"client_id": client_id, "client_secret": client_secret}, file)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    # The name too: the database will know the hash of a secret that nobody else has.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
