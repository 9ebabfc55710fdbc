"""A real core in this process, on unix sockets in a folder of its own, and sessions of those who call it."""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2_grpc
from mintmark.v1 import (
    access_tokens_pb2,
    access_tokens_pb2_grpc,
    accounts_pb2_grpc,
    acquirer_notifications_pb2_grpc,
    acquirer_transactions_pb2_grpc,
    api_keys_pb2,
    api_keys_pb2_grpc,
    bindings_pb2_grpc,
    cache_keys_pb2_grpc,
    card_data_accesses_pb2_grpc,
    card_fingerprints_pb2_grpc,
    card_keys_pb2_grpc,
    card_verifications_pb2_grpc,
    cards_pb2_grpc,
    clients_pb2,
    clients_pb2_grpc,
    consumers_pb2_grpc,
    digital_cards_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    issuer_operations_pb2_grpc,
    merchants_pb2_grpc,
    notifications_pb2_grpc,
    payment_subscriptions_pb2_grpc,
    payment_webhooks_pb2_grpc,
    payments_pb2_grpc,
    principals_pb2_grpc,
    replays_pb2_grpc,
    retention_pb2_grpc,
    subscriptions_pb2_grpc,
    tasks_pb2_grpc,
    tokens_pb2_grpc,
    webhook_configs_pb2_grpc,
)

from server.core import Core
from server.settings import load
from tests.databases import place

TIMEOUT_S = 20.0
Metadata = tuple[tuple[str, str], ...]


def request_id() -> str:
    return str(uuid.uuid4())


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class WithMetadata(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Adds the caller's metadata to each call, and a deadline to each that is not a stream and has none."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    def _details(self, given: grpc.ClientCallDetails, timeout: float | None) -> Any:
        metadata = (*(given.metadata or ()), *self._metadata)
        return _Details(given.method, given.timeout or timeout, metadata, None, None, None)

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        return continuation(self._details(client_call_details, TIMEOUT_S), request)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        return continuation(self._details(client_call_details, None), request)


class Session:
    """Every service, as one caller."""

    def __init__(self, channel: grpc.Channel, metadata: Metadata = (), client_id: str = "") -> None:
        self.metadata = metadata
        self.client_id = client_id
        self.channel = grpc.intercept_channel(channel, WithMetadata(metadata))
        self.tokens = tokens_pb2_grpc.TokensServiceStub(self.channel)
        self.bindings = bindings_pb2_grpc.BindingsServiceStub(self.channel)
        self.issuer_operations = issuer_operations_pb2_grpc.IssuerOperationsServiceStub(self.channel)
        self.digital_cards = digital_cards_pb2_grpc.DigitalCardsServiceStub(self.channel)
        self.consumers = consumers_pb2_grpc.ConsumersServiceStub(self.channel)
        self.consumer_reads = consumers_pb2_grpc.ConsumerReadsServiceStub(self.channel)
        self.merchants = merchants_pb2_grpc.MerchantsServiceStub(self.channel)
        self.notifications = notifications_pb2_grpc.NotificationsServiceStub(self.channel)
        self.replays = replays_pb2_grpc.ReplaysServiceStub(self.channel)
        self.events = events_pb2_grpc.EventsServiceStub(self.channel)
        self.access_tokens = access_tokens_pb2_grpc.AccessTokensServiceStub(self.channel)
        self.clients = clients_pb2_grpc.ClientsServiceStub(self.channel)
        self.api_keys = api_keys_pb2_grpc.ApiKeysServiceStub(self.channel)
        self.accounts = accounts_pb2_grpc.AccountsServiceStub(self.channel)
        self.retention = retention_pb2_grpc.RetentionServiceStub(self.channel)
        self.subscriptions = subscriptions_pb2_grpc.SubscriptionsServiceStub(self.channel)
        self.payments = payments_pb2_grpc.PaymentsServiceStub(self.channel)
        self.payment_subscriptions = payment_subscriptions_pb2_grpc.PaymentSubscriptionsServiceStub(self.channel)
        self.payment_webhooks = payment_webhooks_pb2_grpc.PaymentWebhooksServiceStub(self.channel)
        self.acquirer_transactions = acquirer_transactions_pb2_grpc.AcquirerTransactionsServiceStub(self.channel)
        self.acquirer_notifications = acquirer_notifications_pb2_grpc.AcquirerNotificationsServiceStub(self.channel)
        self.unreadable = acquirer_notifications_pb2_grpc.UnreadableNotificationsServiceStub(self.channel)
        self.cache_keys = cache_keys_pb2_grpc.CacheKeysServiceStub(self.channel)
        self.webhook_configs = webhook_configs_pb2_grpc.WebhookConfigsServiceStub(self.channel)
        self.tasks = tasks_pb2_grpc.TasksServiceStub(self.channel)
        self.records = notifications_pb2_grpc.NotificationRecordsServiceStub(self.channel)
        self.principals = principals_pb2_grpc.PrincipalsServiceStub(self.channel)
        self.cards = cards_pb2_grpc.CardsServiceStub(self.channel)
        self.card_keys = card_keys_pb2_grpc.CardKeysServiceStub(self.channel)
        self.card_key_publications = card_keys_pb2_grpc.CardKeyPublicationsServiceStub(self.channel)
        self.card_fingerprints = card_fingerprints_pb2_grpc.CardFingerprintsServiceStub(self.channel)
        self.card_verifications = card_verifications_pb2_grpc.CardVerificationsServiceStub(self.channel)
        self.card_data_accesses = card_data_accesses_pb2_grpc.CardDataAccessesServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    @property
    def access_token(self) -> str:
        return dict(self.metadata)["authorization"].removeprefix("Bearer ")

    def head(self) -> str:
        """The cursor after everything that has happened."""
        answer = self.events.ListEvents(events_pb2.ListEventsRequest(cursor="", page_size=1000))
        while not answer.caught_up:
            answer = self.events.ListEvents(events_pb2.ListEventsRequest(cursor=answer.next_cursor, page_size=1000))
        return answer.next_cursor

    def events_after(self, cursor: str, **wanted: Any) -> list[events_pb2.Event]:
        """Everything that has happened since, filtered."""
        found: list[events_pb2.Event] = []
        while True:
            request = events_pb2.ListEventsRequest(
                cursor=cursor, filter=events_pb2.EventFilter(**wanted), page_size=1000
            )
            answer = self.events.ListEvents(request)
            found += answer.events
            cursor = answer.next_cursor
            if answer.caught_up:
                return found


@dataclass
class Refused:
    """What a refused call was told. Filled when the block ends."""

    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)
    text: str = ""


def code_of(run: Callable[[], object]) -> str:
    """The status code that a call ends with."""
    try:
        run()
    except grpc.RpcError as error:
        told: Any = error
        return str(told.code().name)
    return "OK"


@contextmanager
def refused(code: str, reason: str) -> Iterator[Refused]:
    """The block's call must be refused with this status code and this ErrorReason, told once as ErrorInfo."""
    told = Refused()
    with pytest.raises(grpc.RpcError) as caught:
        yield told
    error: Any = caught.value
    trailing = dict(error.trailing_metadata() or ())
    raw = trailing.get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(raw)
    told.text = error.details()
    infos = []
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            infos.append(info)
        elif detail.Unpack(bad):
            told.violations = {each.field: each.reason for each in bad.field_violations}
    seen = (error.code().name, [(info.domain, info.reason) for info in infos])
    assert seen == (code, [("mintmark", reason)]), f"{seen}: {told.text}"
    assert (status.code, status.message) == (error.code().value[0], told.text)
    told.metadata = dict(infos[0].metadata)


class RunningCore:
    """A core with its settings. Stopped and started again it keeps its folder."""

    def __init__(self, *, development: bool = False, clock: bool = False, **settings: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mintmark-core-"))
        self._clock_file = self.folder / "clock"
        self.settings = load(
            {
                "data_dir": self.folder / "data",
                "grpc_address": f"unix:{self.folder}/public.sock",
                "admin_address": f"unix:{self.folder}/admin.sock",
                "shutdown_timeout": 2.0,
                "development": development or clock,
                **({"clock_file": self._clock_file} if clock else {}),
                **settings,
            }
        )
        if not self.settings.database_url:
            place(self.settings.data_dir / "mintmark.sqlite")
        self._offset = 0
        self._channels: list[grpc.Channel] = []
        self.start()

    def start(self) -> None:
        self.core = Core(self.settings)
        self.public = self.channel()
        self.internal = self.channel(self.settings.internal_listener)
        self.anonymous = Session(self.public)
        self._log_in()

    def _log_in(self) -> None:
        self.admin = self.house("admin")
        self.gateway = self.house("role.gateway", internal=True)
        self.dispatcher = self.house("role.dispatcher", internal=True)

    def stop(self) -> None:
        for channel in self._channels:
            channel.close()
        self._channels.clear()
        self.core.stop()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def channel(self, address: str = "") -> grpc.Channel:
        """A connection of its own."""
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1))
        made = grpc.insecure_channel(address or self.settings.grpc_address, options)
        self._channels.append(made)
        return made

    def house(self, client_id: str, *, internal: bool = False) -> Session:
        """A session of one of the house's own clients, by the credentials file that the core wrote."""
        written = json.loads(self.settings.credentials(client_id).read_text())
        return self.session(written["client_id"], written["client_secret"], internal=internal)

    def issue(self, client_id: str, secret: str, *scopes: str) -> access_tokens_pb2.IssueAccessTokenResponse:
        request = access_tokens_pb2.IssueAccessTokenRequest(client_id=client_id, client_secret=secret, scopes=scopes)
        return self.anonymous.access_tokens.IssueAccessToken(request)

    def session(self, client_id: str, secret: str, *scopes: str, internal: bool = False) -> Session:
        token = self.issue(client_id, secret, *scopes).access_token
        channel = self.internal if internal else self.public
        return Session(channel, (("authorization", f"Bearer {token}"),), client_id)

    def create(
        self,
        scopes: Collection[str],
        gateways: Collection[str] = (),
        merchants: Collection[str] = (),
        issuers: Collection[str] = (),
    ) -> clients_pb2.CreateClientResponse:
        """A new client with an id of its own."""
        request = clients_pb2.CreateClientRequest(
            request_id=request_id(),
            client_id=f"client-{uuid.uuid4()}",
            scopes=scopes,
            merchant_gateway_ids=gateways,
            merchant_ids=merchants,
            issuer_ids=issuers,
        )
        return self.admin.clients.CreateClient(request)

    def client(
        self, scopes: Collection[str], gateways: Collection[str] = (), merchants: Collection[str] = ()
    ) -> Session:
        """A session of a new client."""
        created = self.create(scopes, gateways, merchants)
        return self.session(created.client.client_id, created.client_secret)

    def partner(self, *gateways: str, merchants: Collection[str] = ()) -> str:
        """The name of a new partner client, as the gateway names the sender of its notifications."""
        return self.create(["d1-notify"], gateways, merchants).client.name

    def api_key(self, gateway: str, merchants: Collection[str] = ()) -> str:
        """The name of a new API key, as the gateway names the sender of its notifications."""
        request = api_keys_pb2.CreateApiKeyRequest(
            request_id=request_id(),
            api_key_id=f"key-{uuid.uuid4()}",
            merchant_gateway_id=gateway,
            merchant_ids=merchants,
        )
        return self.admin.api_keys.CreateApiKey(request).api_key.name

    def advance(self, seconds: int) -> None:
        """Moves the core's wall clock; needs `clock`. The administrator and the gateway get new access tokens."""
        self._offset += seconds
        before = self._clock_file.stat().st_mtime_ns if self._clock_file.exists() else 0
        beside = self._clock_file.with_name("clock.new")
        beside.write_text(str(self._offset))
        # The core looks at the time of the last change.
        later = max(beside.stat().st_mtime_ns, before + 1_000_000_000)
        os.utime(beside, ns=(later, later))
        beside.replace(self._clock_file)
        self._log_in()


@contextmanager
def running_core(**settings: Any) -> Iterator[RunningCore]:
    core = RunningCore(**settings)
    try:
        yield core
    finally:
        core.remove()
