"""The core put together: store, keys, services and listeners, from start to stop."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog
from opentelemetry.trace import Tracer
from prometheus_client import Counter, Gauge

from server import bootstrap
from server.admin import AdminServer
from server.archive import ArchiveFolder
from server.cache.memory import MemorySlots
from server.cache.pauses import Pauses
from server.cache.views import CachedViews, Slots
from server.clock import SystemClock
from server.domain import clients
from server.domain.refusals import StoreUnavailable
from server.ids import RandomIds
from server.keys import keyring
from server.keys.cache_places import SealedPlaces
from server.keys.hashing import Hasher
from server.keys.sealing import Sealer
from server.keys.signing import Signer
from server.ports import Transaction
from server.rpc.access_tokens import AccessTokenMethods
from server.rpc.accounts import Accounts
from server.rpc.api_keys import ApiKeys
from server.rpc.auth import DEVELOPMENT, Authenticator
from server.rpc.bindings import Bindings
from server.rpc.calls import Calls
from server.rpc.clients import Clients
from server.rpc.events import Events
from server.rpc.exports import JsonExport
from server.rpc.listeners import INTERNAL_MESSAGE_LIMIT, MESSAGE_LIMIT, AddressInUse, Listener, Tls, reflect
from server.rpc.merchants import Merchants
from server.rpc.notification_replays import NotificationReplays
from server.rpc.notifications import NotificationRecords, Notifications
from server.rpc.pages import PageTokens
from server.rpc.principals import PrincipalMethods
from server.rpc.replays import Replays
from server.rpc.retention import RetentionMethods
from server.rpc.subscriptions import Subscriptions
from server.rpc.tokens import Tokens
from server.services.access_tokens import AccessTokens
from server.services.events import EventFeed
from server.services.notification_replays import Replayer
from server.services.notifications import Recorder
from server.services.principals import Directory
from server.services.replays import NAME as REPLAYS
from server.services.replays import Creators, Replaying
from server.services.requests import InProgress
from server.services.retention import Retention, SubscriptionPins
from server.services.steward import Steward
from server.services.subscription_lag import LagMetrics
from server.settings import Settings, SettingsInvalid, hide_opentelemetry
from server.store.engine import DatabaseUnfit
from server.store.sole_use import SoleUse
from server.store.store import SqlStore, is_in_use
from server.store.writer import Writer

if TYPE_CHECKING:
    from server.traces import Traces

AUDIENCE = "mintmark"
ROLE = "core"

BUILD = Gauge("mintmark_build_info", "Always 1; the version that runs.", ("version",))
KEYS = Gauge("mintmark_keyring_keys", "Keys of the keyring by what they are for, old ones included.", ("use",))
SPANS = Counter("mintmark_spans_total", "Spans that ended here, by what became of them.", ("outcome",))

log = structlog.get_logger("core")


class Core:
    """A running core. Raises SettingsInvalid, DatabaseUnfit, AddressInUse, SQLAlchemyError where it cannot start."""

    def __init__(self, settings: Settings, writer: type[Writer] = Writer) -> None:
        self._settings = settings
        _check_database_url(settings)
        bootstrap.folders(settings)
        keys = _keyring(settings)
        self.clock = SystemClock(settings.clock_file)
        hasher, signer, ids = Hasher(keys), Signer(keys), RandomIds()
        _describe(keys)
        self._traces = _traces(settings)
        tracer = self._traces.tracer if self._traces else None
        self.store = _store(settings, writer, tracer)
        self._sole_use: SoleUse | None = None
        self._cache: Slots | None = None
        self.directory = Directory(self.store, self.clock)
        self.store.listen(self.directory.saw)
        self.feed = EventFeed(self.store, self.directory.saw, self.directory.heard, self.directory.missed, self.clock)
        self.store.listen(self.feed.committed)
        self.retention = self._retention(Sealer(keys), ids)
        replayer = Replayer(self.store, self.directory, hasher, Sealer(keys))
        creators = Creators(self.directory, DEVELOPMENT if settings.development else None)
        chores = (self.retention, Replaying(self.store, replayer, creators, self.clock))
        self.steward = Steward(self.store, chores, ids.core_id(), self.clock.monotonic)
        self._listening: list[Listener] = []
        try:
            self._sole_use = _sole_use(settings)
            self._cache = _cache(settings, self.store, keys)
            _check_keyring(self.store, hasher)
            bootstrap.house_clients(settings, self.store, hasher, self.clock, ids)
            access_tokens = AccessTokens(
                self.store,
                self.directory,
                hasher,
                signer,
                self.clock,
                ids,
                issuer=settings.issuer,
                audience=AUDIENCE,
            )
            in_progress = InProgress()
            public = Authenticator(access_tokens, development=settings.development)
            internal = Authenticator(access_tokens, development=False)
            self.calls = Calls(self.store, public, hasher, self.clock, in_progress, tracer)
            self.internal_calls = Calls(self.store, internal, hasher, self.clock, in_progress, tracer, internal=True)
            services = self._public_services(access_tokens, signer, hasher, Sealer(keys), ids)
            self._public = Listener(settings.grpc_address, services, self.calls, MESSAGE_LIMIT)
            reflect(self._public, list(services), self.calls)
            recorder = Recorder(self.store, self.directory, hasher, Sealer(keys), self.clock, ids)
            self._internal = Listener(
                settings.internal_listener,
                self._internal_services(access_tokens, signer, recorder, keys.api_key_hash_key),
                self.internal_calls,
                INTERNAL_MESSAGE_LIMIT,
            )
            # The public one first: where another core runs already, its port is taken, and nothing else is touched.
            for listener, tls in ((self._public, _public_tls(settings)), (self._internal, _internal_tls(settings))):
                listener.start(tls)
                self._listening.append(listener)
            self._admin = _admin(settings, self.ready)
            self._lag = LagMetrics(self.store, self.clock)
            self._lag.start()
        except BaseException:
            self._stop_listening(0.0)
            self._let_go(0.0)
            raise
        self.steward.start()
        log.info("core_ready", grpc=settings.grpc_address)

    def _retention(self, sealer: Sealer, ids: RandomIds) -> Retention:
        folder = self._settings.retention_export_dir
        archive = ArchiveFolder(folder) if folder else None
        export = JsonExport(archive, sealer, self.store.generation, self.clock.now) if archive else None
        return Retention(self.store, self.clock, ids, self._settings.periods, SubscriptionPins(self.store.view), export)

    def _public_services(
        self, access_tokens: AccessTokens, signer: Signer, hasher: Hasher, sealer: Sealer, ids: RandomIds
    ) -> Mapping[str, object]:
        store, calls, pages = self.store, self.calls, PageTokens(hasher)
        views = CachedViews(self._cache, store.view) if self._cache else store.view
        replayer = Replayer(store, self.directory, hasher, sealer)
        return {
            "TokensService": Tokens(store, views, calls, pages),
            "BindingsService": Bindings(store, views, pages),
            "MerchantsService": Merchants(store, pages),
            "NotificationsService": Notifications(store, sealer, pages, NotificationReplays(replayer, calls)),
            "ReplaysService": Replays(store, calls, pages, ids, lambda: self.steward.wake(REPLAYS)),
            "EventsService": Events(store, self.feed),
            "AccessTokensService": AccessTokenMethods(access_tokens, signer.jwks),
            "ClientsService": Clients(store, calls, pages, hasher, ids),
            "ApiKeysService": ApiKeys(store, calls, pages, hasher),
            "AccountsService": Accounts(store, calls, pages),
            "RetentionService": RetentionMethods(store, self.retention),
            "SubscriptionsService": Subscriptions(store, calls, pages, self.feed),
        }

    def _internal_services(
        self, access_tokens: AccessTokens, signer: Signer, recorder: Recorder, api_key_hash_key: bytes
    ) -> Mapping[str, object]:
        def database_time() -> int:
            return self.store.view.database_time() + self.clock.offset()

        return {
            "NotificationRecordsService": NotificationRecords(recorder, self.internal_calls.tracer),
            "PrincipalsService": PrincipalMethods(
                self.directory, access_tokens, signer.jwks, api_key_hash_key, database_time
            ),
            "AccessTokensService": AccessTokenMethods(access_tokens, signer.jwks),
        }

    def ready(self) -> bool:
        """Whether the store answers."""
        try:
            self.store.view.bounds()
        except StoreUnavailable:
            return False
        return True

    def stop(self) -> None:
        """Refuses new work, finishes what is in flight, lets go of everything."""
        deadline = self.clock.monotonic() + self._settings.shutdown_timeout
        self._stop_listening(self._settings.shutdown_timeout)
        self.steward.close()
        self._admin.close()
        self._lag.stop()
        self._let_go(deadline - self.clock.monotonic())
        log.info("core_stopped")

    def _let_go(self, seconds: float) -> None:
        if self._cache:
            self._cache.close()
        self.store.close()
        if self._sole_use:
            self._sole_use.close()
        if self._traces:
            self._traces.close(seconds)

    def _stop_listening(self, seconds: float) -> None:
        deadline = self.clock.monotonic() + seconds
        if self._listening:
            self.calls.stop()
            self.internal_calls.stop()
        # Those who wait for events look up and leave, so that only work in flight takes time.
        self.feed.close()
        for listener in self._listening:
            listener.stop(max(0.0, deadline - self.clock.monotonic()))


def _admin(settings: Settings, ready: Callable[[], bool]) -> AdminServer:
    try:
        return AdminServer(settings.admin_address, ready)
    except OSError:
        raise AddressInUse(f"cannot listen on {settings.admin_address}: is it in use?") from None


def _keyring(settings: Settings) -> keyring.Keyring:
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


def _check_keyring(store: SqlStore, hasher: Hasher) -> None:
    """Raises DatabaseUnfit where another keyring filled the database: repeats would be new, no secret would fit."""
    mark = hasher.identity_hash(b"the keyring of this database")

    def run(transaction: Transaction) -> bool:
        held = transaction.keyring_mark()
        if held is None:
            transaction.leave_keyring_mark(mark)
        return held is None or held == mark

    if not store.write("keyring", run):
        raise DatabaseUnfit("MINTMARK_KEYRING_FILE: the database was filled with another keyring; bring that one")


def _check_database_url(settings: Settings) -> None:
    from server.store.engine import parse_url

    try:
        parse_url(settings.database)
    except ValueError:
        raise SettingsInvalid("MINTMARK_DATABASE_URL: not the URL of a SQLite file or of PostgreSQL") from None


def _describe(keys: keyring.Keyring) -> None:
    """Shows in the metrics what runs."""
    BUILD.labels(version("mintmark")).set(1)
    KEYS.labels("sealing").set(len(keys.sealing_keys))
    KEYS.labels("signing").set(len(keys.signing_keys))


def _traces(settings: Settings) -> "Traces | None":
    if settings.traces == "none":
        return None
    hide_opentelemetry()
    from server.traces import Traces

    return Traces(settings, ROLE, version("mintmark"), lambda outcome, count: SPANS.labels(outcome).inc(count))


def _store(settings: Settings, writer: type[Writer], tracer: Tracer | None) -> SqlStore:
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


def _sole_use(settings: Settings) -> SoleUse | None:
    """The SQLite file to ourselves: with others writing to it no memory of it could be right."""
    from server.store.engine import parse_url, sqlite_path

    file = sqlite_path(parse_url(settings.database))
    return SoleUse(file) if file else None


def _cache(settings: Settings, store: SqlStore, keys: keyring.Keyring) -> Slots | None:
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
        slots = SharedSlots(wall, pauses, SealedPlaces(keys), store.generation)
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


def _public_tls(settings: Settings) -> Tls | None:
    if settings.grpc_certificate is None or settings.grpc_key is None:
        return None
    return Tls(settings.grpc_certificate, settings.grpc_key)


def _internal_tls(settings: Settings) -> Tls | None:
    if settings.internal_listener.startswith("unix:"):
        return None
    if not (settings.internal_key and settings.internal_certificate and settings.internal_client_ca):
        raise SettingsInvalid("MINTMARK_INTERNAL_ADDRESS: a network address needs mutual TLS")
    return Tls(settings.internal_certificate, settings.internal_key, settings.internal_client_ca)
