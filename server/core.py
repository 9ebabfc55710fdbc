"""The core put together: store, keys, services and listeners, from start to stop."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter, Gauge

from server import bootstrap
from server.admin import AdminServer
from server.archive import ArchiveFolder
from server.cache.views import CachedViews, Slots
from server.clock import SystemClock
from server.domain.refusals import StoreUnavailable
from server.high_water import HighWaterMark
from server.ids import RandomIds
from server.keys import cache_places, keyring
from server.keys.acquirer import AcquirerKeys
from server.keys.hashing import Hasher
from server.keys.public_keys import EncryptionKeys
from server.keys.sealing import Sealer
from server.keys.signing import Signer
from server.opening import (
    check_database_url,
    check_keyring,
    check_restore,
    known,
    load_keyring,
    open_cache,
    open_store,
    sole_use,
)
from server.rpc.access_tokens import AccessTokenMethods
from server.rpc.accounts import Accounts
from server.rpc.acquirer_notifications import AcquirerNotifications, UnreadableNotifications
from server.rpc.acquirer_transactions import AcquirerTransactions
from server.rpc.api_keys import ApiKeys
from server.rpc.auth import DEVELOPMENT, Authenticator
from server.rpc.bindings import Bindings
from server.rpc.cache_keys import CacheKeys
from server.rpc.calls import Calls
from server.rpc.card_accesses import CardAccesses
from server.rpc.card_fingerprints import CardFingerprints
from server.rpc.card_keys import CardKeyPublications, CardKeys
from server.rpc.card_verifications import CardVerifications
from server.rpc.cards import Cards
from server.rpc.clients import Clients
from server.rpc.consumer_reads import ConsumerReads
from server.rpc.consumers import Consumers
from server.rpc.events import Events
from server.rpc.exports import JsonExport
from server.rpc.issuer_operations import IssuerOperations
from server.rpc.listeners import INTERNAL_MESSAGE_LIMIT, MESSAGE_LIMIT, AddressInUse, Listener, Tls, reflect
from server.rpc.merchants import Merchants
from server.rpc.notification_replays import NotificationReplays
from server.rpc.notifications import NotificationRecords, Notifications
from server.rpc.pages import PageTokens
from server.rpc.payment_subscriptions import PaymentSubscriptions
from server.rpc.payment_webhooks import PaymentWebhooks
from server.rpc.payments import Payments
from server.rpc.principals import PrincipalMethods
from server.rpc.replays import Replays
from server.rpc.retention import RetentionMethods
from server.rpc.subscriptions import Subscriptions
from server.rpc.tasks import Tasks
from server.rpc.tokens import Tokens
from server.rpc.webhook_configs import WebhookConfigs
from server.services import acquirer_chores
from server.services.access_tokens import AccessTokens
from server.services.acquirer_desk import AcquirerDesk
from server.services.card_chores import CardsWaiting
from server.services.card_house import CardHouse
from server.services.events import EventFeed
from server.services.failovers import Failovers
from server.services.notification_replays import Replayer
from server.services.notifications import Recorder
from server.services.payment_chores import PaymentTimes
from server.services.payment_house import PaymentHouse, PaymentLimits
from server.services.payment_subscription_chores import PaymentCycles
from server.services.principals import Directory
from server.services.replays import NAME as REPLAYS
from server.services.replays import Creators, Replaying
from server.services.requests import InProgress
from server.services.retention import Retention, SubscriptionPins
from server.services.steward import Steward
from server.services.subscription_lag import LagMetrics
from server.services.webhook_chores import WebhookTimes
from server.services.webhook_house import WebhookHouse, WebhookLimits
from server.settings import Settings, SettingsInvalid, hide_opentelemetry, span
from server.store.sole_use import SoleUse
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
        check_database_url(settings)
        bootstrap.folders(settings)
        keys = load_keyring(settings)
        self.clock = SystemClock(settings.clock_file)
        hasher, signer, ids = Hasher(keys), Signer(keys), RandomIds()
        _describe(keys)
        self._traces = _traces(settings)
        tracer = self._traces.tracer if self._traces else None
        self.store = open_store(settings, writer, tracer)
        self._sole_use: SoleUse | None = None
        self._cache: Slots | None = None
        self.payments = PaymentHouse(
            self.store, self.clock, ids, hasher, Sealer(keys), _limits(settings), settings.issuer
        )
        self.desk = AcquirerDesk(self.payments, AcquirerKeys(), settings.periods.identities)
        self.webhooks = WebhookHouse(
            self.store,
            self.clock,
            ids,
            hasher,
            Sealer(keys),
            AcquirerKeys(),
            _webhook_limits(settings),
            settings.issuer,
        )
        self.high_water = HighWaterMark(settings.high_water_file, self.store.view)
        try:
            self._sole_use = sole_use(settings)
            check_keyring(self.store, hasher)
            check_restore(settings, self.store, self.payments, self.high_water, ids)
        except BaseException:
            self._let_go(0.0)
            raise
        self.directory = Directory(self.store, self.clock)
        lease = PaymentLimits.micros(settings.task_lease)
        self.cards = CardHouse(self.store, self.clock, ids, self.directory, lease)
        self.store.listen(self.directory.saw)
        self.feed = EventFeed(self.store, self.directory.saw, self.directory.heard, self.directory.missed, self.clock)
        self.store.listen(self.feed.committed)
        self.retention = self._retention(Sealer(keys), ids)
        replayer = Replayer(self.store, self.directory, hasher, Sealer(keys))
        creators = Creators(self.directory, DEVELOPMENT if settings.development else None)
        replaying = Replaying(self.store, replayer, creators, self.clock)
        unreadable = acquirer_chores.UnreadableNotifications(self.desk)
        webhook_times = WebhookTimes(self.webhooks)
        failovers = Failovers(self.payments, lambda: known(settings, self.high_water), ids.generation, self._begin_anew)
        times = (PaymentTimes(self.payments), PaymentCycles(self.payments), webhook_times)
        chores = (*times, self.retention, replaying, unreadable, failovers, CardsWaiting(self.cards))
        self.steward = Steward(self.store, chores, ids.core_id(), self.clock.monotonic)
        self._listening: list[Listener] = []
        try:
            self._cache = open_cache(settings, self.store, keys)
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
                self._internal_services(access_tokens, signer, recorder, keys),
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
        export = JsonExport(archive, sealer, lambda: self.store.generation, self.clock.now) if archive else None
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
            "IssuerOperationsService": IssuerOperations(store, pages),
            "ConsumersService": Consumers(store, calls, pages, sealer),
            "MerchantsService": Merchants(store, pages),
            "NotificationsService": Notifications(store, sealer, pages, NotificationReplays(replayer, calls)),
            "ReplaysService": Replays(store, calls, pages, ids, lambda: self.steward.wake(REPLAYS)),
            "EventsService": Events(store, self.feed),
            "AccessTokensService": AccessTokenMethods(access_tokens, signer.jwks),
            "ClientsService": Clients(store, calls, pages, hasher, ids),
            "ApiKeysService": ApiKeys(store, calls, pages, hasher),
            "AccountsService": Accounts(store, calls, pages, hasher, sealer, EncryptionKeys()),
            "RetentionService": RetentionMethods(store, self.retention),
            "SubscriptionsService": Subscriptions(store, calls, pages, self.feed),
            "PaymentsService": Payments(self.payments, calls, pages, self.feed),
            "WebhookConfigsService": WebhookConfigs(self.webhooks, calls, pages, self.feed),
            "AcquirerTransactionsService": AcquirerTransactions(self.desk, calls, pages),
            "UnreadableNotificationsService": UnreadableNotifications(self.desk, calls, pages),
            "PaymentSubscriptionsService": PaymentSubscriptions(self.payments, calls, pages),
            "CardsService": Cards(self.cards, calls, pages),
            "CardKeysService": CardKeys(self.cards),
            "CardDataAccessesService": CardAccesses(store, pages),
        }

    def _internal_services(
        self, access_tokens: AccessTokens, signer: Signer, recorder: Recorder, keys: keyring.Keyring
    ) -> Mapping[str, object]:
        def database_time() -> int:
            return self.store.view.database_time() + self.clock.offset()

        return {
            "NotificationRecordsService": NotificationRecords(recorder, self.internal_calls.tracer),
            "PrincipalsService": PrincipalMethods(
                self.directory, access_tokens, signer.jwks, keys.api_key_hash_key, database_time
            ),
            "CacheKeysService": CacheKeys(cache_places.access_token_key(keys)),
            "AccessTokensService": AccessTokenMethods(access_tokens, signer.jwks),
            "PaymentWebhooksService": PaymentWebhooks(self.payments),
            "AcquirerNotificationsService": AcquirerNotifications(self.desk),
            "CardKeyPublicationsService": CardKeyPublications(self.cards, EncryptionKeys()),
            "CardFingerprintsService": CardFingerprints(self.cards, self.feed),
            "CardVerificationsService": CardVerifications(self.cards),
            "ConsumerReadsService": ConsumerReads(self.store, self.directory, Sealer(keys)),
            "TasksService": Tasks(self.payments, self.desk, self.webhooks, self.feed, self.high_water),
        }

    def _begin_anew(self) -> None:
        """The database holds another history than before."""
        self.store.renew_generation()
        self.feed.begin_anew()
        self.high_water.reach()

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


def _limits(settings: Settings) -> PaymentLimits:
    return PaymentLimits(
        send_within=settings.payment_send_within,
        send_by=settings.payment_send_by,
        call=settings.payment_call_timeout,
        lease=settings.task_lease,
        resolve_after=settings.payment_resolve_after,
        action_window=settings.payment_action_window,
        page_window=settings.payment_page_window,
        cycle_overdue_after=settings.payment_cycle_overdue_after,
    )


def _webhook_limits(settings: Settings) -> WebhookLimits:
    return WebhookLimits(
        lease=PaymentLimits.micros(settings.task_lease),
        key_keep=span(settings.webhook_key_keep),
        refresh=span(settings.webhook_refresh),
    )


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
