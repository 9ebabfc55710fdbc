"""What a core opens before it serves anybody: its keyring, its database and its cache."""

from opentelemetry.trace import Tracer

from server.cache.memory import MemorySlots
from server.cache.pauses import Pauses
from server.cache.views import Slots
from server.domain import clients
from server.high_water import HighWaterMark
from server.ids import RandomIds
from server.keys import keyring
from server.keys.cache_places import SealedPlaces
from server.keys.hashing import Hasher
from server.ports import Transaction
from server.services import restores
from server.services.payment_house import PaymentHouse
from server.services.restores import Known
from server.settings import Settings, SettingsInvalid
from server.store.engine import DatabaseUnfit
from server.store.sole_use import SoleUse
from server.store.store import SqlStore, is_in_use
from server.store.writer import Writer


def load_keyring(settings: Settings) -> keyring.Keyring:
    path = settings.keyring
    if not path.exists():
        if not settings.embedded:
            raise SettingsInvalid(
                f"MINTMARK_KEYRING_FILE: {path} is not there; with PostgreSQL the keyring must be given: "
                "`mintmark keyring create FILE` makes one"
            )
        if is_in_use(settings.database):
            # With other keys no secret would fit and no body open: partners would get a 401, and stop.
            raise SettingsInvalid(
                f"MINTMARK_KEYRING_FILE: {path} is not there, but the database was filled with a keyring; bring it back"
            )
        keyring.create(path)
    try:
        return keyring.load(path)
    except keyring.KeyringInvalid as error:
        raise SettingsInvalid(f"MINTMARK_KEYRING_FILE: {error}") from None


def check_keyring(store: SqlStore, hasher: Hasher) -> None:
    """Raises DatabaseUnfit where another keyring filled the database: repeats would be new, no secret would fit."""
    mark = hasher.identity_hash(b"the keyring of this database")

    def run(transaction: Transaction) -> bool:
        held = transaction.keyring_mark()
        if held is None:
            transaction.leave_keyring_mark(mark)
        return held is None or held == mark

    if not store.write("keyring", run):
        raise DatabaseUnfit("MINTMARK_KEYRING_FILE: the database was filled with another keyring; bring that one")


def check_restore(
    settings: Settings, store: SqlStore, house: PaymentHouse, high_water: HighWaterMark, ids: RandomIds
) -> None:
    """Money stands still where the database was restored, and the mark is that of the history that goes on."""
    high_water.read()
    generation, _, head = store.view.head()
    if restores.check(house, known(settings, high_water), generation, head, ids.generation()):
        store.renew_generation()
    high_water.reach()


def known(settings: Settings, high_water: HighWaterMark) -> Known:
    """What is known of the history outside of the database."""
    mark = high_water.kept
    return Known(mark.generation if mark else "", mark.sequence if mark else 0, settings.embedded)


def check_database_url(settings: Settings) -> None:
    from server.store.engine import parse_url

    try:
        parse_url(settings.database)
    except ValueError:
        raise SettingsInvalid("MINTMARK_DATABASE_URL: not the URL of a SQLite file or of PostgreSQL") from None


def open_store(settings: Settings, writer: type[Writer], tracer: Tracer | None) -> SqlStore:
    if settings.embedded and not _is_current(settings):
        from server.store.migrate import upgrade

        if settings.credentials(clients.ADMIN).exists() and not _file_exists(settings):
            # A new and empty one in its place would look as if nothing had ever been acknowledged.
            raise DatabaseUnfit(
                f"{settings.data_dir}: the database is gone, but credentials of it are there; bring it back from a "
                "backup, or take the credentials away to begin anew"
            )
        upgrade(settings.database)
    return SqlStore(settings.database, writer, tracer)


def sole_use(settings: Settings) -> SoleUse | None:
    """The SQLite file to ourselves: with others writing to it no memory of it could be right."""
    from server.store.engine import parse_url, sqlite_path

    file = sqlite_path(parse_url(settings.database))
    return SoleUse(file) if file else None


def open_cache(settings: Settings, store: SqlStore, keys: keyring.Keyring) -> Slots | None:
    """Where views are cached; None where nothing here could know that another core has changed one."""
    slots: Slots
    if settings.redis_url:
        from server.cache.redis import RedisWall
        from server.cache.shared import SharedSlots

        pauses = Pauses(store.view, shared=not settings.embedded)
        try:
            wall = RedisWall(settings.redis_url)
        except ValueError:
            pauses.close()
            raise SettingsInvalid("MINTMARK_REDIS_URL: not the URL of a Redis") from None
        slots = SharedSlots(wall, pauses, SealedPlaces(keys), lambda: store.generation)
    elif settings.embedded:
        slots = MemorySlots()
    else:
        return None
    store.mark_with(slots)
    return slots


def _file_exists(settings: Settings) -> bool:
    from server.store.engine import parse_url, sqlite_path

    file = sqlite_path(parse_url(settings.database))
    return file is not None and file.exists()


def _is_current(settings: Settings) -> bool:
    """Whether the SQLite file has today's schema, found out without Alembic, which takes long to import."""
    from server.store.engine import parse_url, reader_engine, schema_revision, sqlite_path
    from server.store.schema import REVISION

    url = parse_url(settings.database)
    file = sqlite_path(url)
    if file is None or not file.exists():
        return False
    engine = reader_engine(url)
    try:
        return schema_revision(engine) == REVISION
    finally:
        engine.dispose()
