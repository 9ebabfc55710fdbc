"""What is asked of every public RPC, by REST and by gRPC: calls that succeed and calls that are refused."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from mintmark.v1 import (
    access_tokens_pb2,
    accounts_pb2,
    api_keys_pb2,
    bindings_pb2,
    clients_pb2,
    events_pb2,
    merchants_pb2,
    notifications_pb2,
    replays_pb2,
    retention_pb2,
    subscriptions_pb2,
    tokens_pb2,
)

from tests.flows import (
    rest_acquirer,
    rest_cards,
    rest_consumers,
    rest_issuer,
    rest_payment_subscriptions,
    rest_payments,
    rest_reconciliations,
    rest_webhooks,
)
from tests.flows.rest_acquirer import Acquirer
from tests.flows.rest_cards import Cards
from tests.flows.rest_payments import Shop
from tests.flows.rest_webhooks import Webhooks

STATES = (tokens_pb2.TOKEN_STATE_UNSPECIFIED, tokens_pb2.TOKEN_STATE_ACTIVE)
KINDS = (notifications_pb2.NOTIFICATION_KIND_D1_TOKEN_UPDATE, notifications_pb2.NOTIFICATION_KIND_TSH_BINDING_CREATION)
EVENT_KINDS = (events_pb2.EVENT_KIND_TOKEN_CREATED, events_pb2.EVENT_KIND_TOKEN_REFRESH_REQUESTED)
NOBODY = "merchantGateways/G/merchants/M/tokens/nobody"


def key() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Known:
    """What there is to ask about: names of resources, and a client with its secret."""

    token: str
    binding: str
    merchant: str
    notification: str
    cursor: str
    client_id: str
    client_secret: str
    access_token: str
    subscription: str
    replay: str
    shop: Shop
    acquirer: Acquirer
    webhooks: Webhooks
    unsent_subscription: str
    paused_subscription: str
    issuer_operations: tuple[str, ...]
    cards: Cards


# An RPC, its request, and the reason that it is refused with; none where it is not.
Case = tuple[str, Message, str]


def reads(known: Known) -> Iterator[Case]:
    """Calls that change nothing."""
    tokens, bindings, merchants = "TokensService", "BindingsService", "MerchantsService"
    parent = known.merchant
    yield f"{tokens}.GetToken", tokens_pb2.GetTokenRequest(name=known.token), ""
    yield f"{tokens}.GetToken", tokens_pb2.GetTokenRequest(name=NOBODY), "RESOURCE_NOT_FOUND"
    yield f"{tokens}.ListTokens", tokens_pb2.ListTokensRequest(page_size=2), ""
    yield f"{tokens}.ListTokens", tokens_pb2.ListTokensRequest(parent=parent, refresh_due=True, states=STATES), ""
    yield f"{tokens}.ListTokens", tokens_pb2.ListTokensRequest(parent="merchantGateways/-/merchants/-"), ""
    yield f"{tokens}.ListTokens", tokens_pb2.ListTokensRequest(page_size=1001), "FIELD_INVALID"
    yield f"{tokens}.ListTokens", tokens_pb2.ListTokensRequest(page_token="AAAA"), "PAGE_TOKEN_INVALID"
    yield f"{bindings}.GetBinding", bindings_pb2.GetBindingRequest(name=known.binding), ""
    yield f"{bindings}.GetBinding", bindings_pb2.GetBindingRequest(name=f"{NOBODY}/bindings/d"), "RESOURCE_NOT_FOUND"
    yield f"{bindings}.ListBindings", bindings_pb2.ListBindingsRequest(device_id="d-1"), ""
    yield (
        f"{bindings}.ListBindings",
        bindings_pb2.ListBindingsRequest(parent=f"{parent}/tokens/-", states=[bindings_pb2.BINDING_STATE_UNSPECIFIED]),
        "",
    )
    yield f"{merchants}.GetMerchant", merchants_pb2.GetMerchantRequest(name=known.merchant), ""
    yield f"{merchants}.ListMerchants", merchants_pb2.ListMerchantsRequest(), ""
    yield f"{merchants}.ListMerchants", merchants_pb2.ListMerchantsRequest(parent="merchantGateways/-"), ""
    get_notification = notifications_pb2.GetNotificationRequest
    yield "NotificationsService.GetNotification", get_notification(name=known.notification), ""
    yield "NotificationsService.GetNotification", get_notification(name="notifications/0"), "RESOURCE_NOT_FOUND"
    listed = notifications_pb2.ListNotificationsRequest(kinds=KINDS, token_id="walked", page_size=3)
    yield "NotificationsService.ListNotifications", listed, ""
    plan = notifications_pb2.PlanNotificationReplayRequest
    yield "NotificationsService.PlanNotificationReplay", plan(name=known.notification), ""
    yield "NotificationsService.PlanNotificationReplay", plan(name="notifications/0"), "RESOURCE_NOT_FOUND"
    yield "ReplaysService.GetReplay", replays_pb2.GetReplayRequest(name=known.replay), ""
    yield "ReplaysService.GetReplay", replays_pb2.GetReplayRequest(name="replays/0"), "RESOURCE_NOT_FOUND"
    yield "ReplaysService.ListReplays", replays_pb2.ListReplaysRequest(page_size=1), ""
    yield "ReplaysService.ListReplayResults", replays_pb2.ListReplayResultsRequest(name=known.replay), ""
    yield "RetentionService.GetRetention", retention_pb2.GetRetentionRequest(), ""
    yield from _events(known.cursor)
    yield from _subscription_reads(known)
    yield from rest_payments.reads(known.shop)
    yield from rest_payment_subscriptions.reads(known.unsent_subscription)
    yield from rest_reconciliations.reads()
    yield from rest_acquirer.reads(known.acquirer)
    yield from rest_issuer.reads(known.issuer_operations)
    yield from rest_cards.reads()
    yield from rest_consumers.reads()
    yield from rest_webhooks.reads(known.webhooks)
    get_client, get_key = clients_pb2.GetClientRequest, api_keys_pb2.GetApiKeyRequest
    yield "ClientsService.GetClient", get_client(name="clients/admin"), ""
    yield "ClientsService.GetClient", get_client(name="clients/nobody%2F"), "RESOURCE_NOT_FOUND"
    yield "ClientsService.ListClients", clients_pb2.ListClientsRequest(page_size=2), ""
    yield "ApiKeysService.GetApiKey", get_key(name="apiKeys/walked"), ""
    yield "ApiKeysService.GetApiKey", get_key(name="apiKeys/nobody"), "RESOURCE_NOT_FOUND"
    yield "ApiKeysService.ListApiKeys", api_keys_pb2.ListApiKeysRequest(), ""
    yield "AccountsService.GetAccount", accounts_pb2.GetAccountRequest(name="partnerAccounts/walked"), ""
    yield "AccountsService.GetAccount", accounts_pb2.GetAccountRequest(name="partnerAccounts/no"), "RESOURCE_NOT_FOUND"
    yield "AccountsService.ListAccounts", accounts_pb2.ListAccountsRequest(), ""
    planned = accounts_pb2.PlanAccountsRequest(accounts=[account("planned")])
    yield "AccountsService.PlanAccounts", planned, ""
    unnamed = accounts_pb2.PlanAccountsRequest(accounts=[account("planned"), accounts_pb2.Account()])
    yield "AccountsService.PlanAccounts", unnamed, "FIELD_INVALID"
    yield "AccessTokensService.GetJwks", access_tokens_pb2.GetJwksRequest(), ""
    introspected = access_tokens_pb2.IntrospectAccessTokenRequest
    yield "AccessTokensService.IntrospectAccessToken", introspected(access_token=known.access_token), ""
    yield "AccessTokensService.IntrospectAccessToken", introspected(access_token="not one"), ""
    wrong = access_tokens_pb2.IssueAccessTokenRequest(client_id=known.client_id, client_secret="wrong")
    yield "AccessTokensService.IssueAccessToken", wrong, "CLIENT_CREDENTIALS_INVALID"
    scoped = access_tokens_pb2.IssueAccessTokenRequest(client_id=known.client_id, client_secret=known.client_secret)
    scoped.scopes.append("d1-notify")
    yield "AccessTokensService.IssueAccessToken", scoped, "SCOPE_INVALID"


def _events(cursor: str) -> Iterator[Case]:
    wanted = events_pb2.EventFilter(kinds=EVENT_KINDS, merchant_gateway_id="MGW_WALK")
    listed = events_pb2.ListEventsRequest
    yield "EventsService.ListEvents", listed(cursor="0", filter=wanted, page_size=5), ""
    yield "EventsService.ListEvents", listed(cursor="nonsense"), "CURSOR_INVALID"
    yield "EventsService.ListEvents", listed(cursor=f"elsewhere.{cursor.rpartition('.')[2]}"), "CURSOR_OUT_OF_RANGE"


def _subscription_reads(known: Known) -> Iterator[Case]:
    get, listed = subscriptions_pb2.GetSubscriptionRequest, subscriptions_pb2.ListSubscriptionsRequest
    yield "SubscriptionsService.GetSubscription", get(name=known.subscription), ""
    foreign = get(name="clients/nobody/subscriptions/walked")
    yield "SubscriptionsService.GetSubscription", foreign, "RESOURCE_NOT_FOUND"
    yield "SubscriptionsService.ListSubscriptions", listed(page_size=5), ""
    yield "SubscriptionsService.ListSubscriptions", listed(parent=f"clients/{known.client_id}"), ""


def account(account_id: str) -> accounts_pb2.Account:
    return accounts_pb2.Account(
        account_id=account_id, provider=accounts_pb2.ACCOUNT_PROVIDER_D1_ECOM, merchant_gateway_id=f"MGW_{account_id}"
    )


def writes(known: Known) -> Iterator[Case]:
    """Calls that change something, each with a `request_id` of its own."""
    disable, enable = tokens_pb2.DisableTokenRequest, tokens_pb2.EnableTokenRequest
    stolen = disable(request_id=key(), name=known.token, reason="stolen")
    yield "TokensService.DisableToken", stolen, ""
    yield "TokensService.DisableToken", disable(request_id=key(), name=NOBODY, reason="x"), "RESOURCE_NOT_FOUND"
    yield "TokensService.DisableToken", disable(request_id=key(), name=known.token), "FIELD_INVALID"
    mismatched = disable(request_id=key(), name=known.token, reason="stolen", etag="99")
    yield "TokensService.DisableToken", mismatched, "ETAG_MISMATCH"
    reused = disable(request_id=stolen.request_id, name=known.token, reason="lost")
    yield "TokensService.DisableToken", reused, "REQUEST_ID_REUSED"
    yield "TokensService.DisableToken", disable(request_id="1", name=known.token, reason="x"), "FIELD_INVALID"
    yield "TokensService.EnableToken", enable(request_id=key(), name=known.token), ""
    imported = tokens_pb2.ImportTokensRequest(request_id=key())
    imported.tokens.add(
        merchant_gateway_id="MGW_WALK", merchant_id="m/1", token_id="ü:1", provider=tokens_pb2.TOKEN_PROVIDER_D1_ECOM
    )
    yield "TokensService.ImportTokens", imported, ""
    create, rotate = clients_pb2.CreateClientRequest, clients_pb2.RotateClientSecretRequest
    new = create(request_id=key(), client_id=f"new-{key()}", scopes=["tokens.read"], merchant_gateway_ids=["MGW_WALK"])
    yield "ClientsService.CreateClient", new, ""
    taken = create(request_id=key(), client_id="admin", scopes=["tokens.read"])
    yield "ClientsService.CreateClient", taken, "RESOURCE_EXISTS"
    wild = create(request_id=key(), client_id="wild", scopes=["clients.write"], merchant_gateway_ids=["G"])
    yield "ClientsService.CreateClient", wild, "BINDING_INVALID"
    name = f"clients/{new.client_id}"
    update = clients_pb2.UpdateClientRequest(request_id=key(), client=clients_pb2.Client(name=name, display_name="New"))
    update.update_mask.paths.append("display_name")
    yield "ClientsService.UpdateClient", update, ""
    update = clients_pb2.UpdateClientRequest(request_id=key(), client=clients_pb2.Client(name=name, etag="99"))
    update.update_mask.paths.append("scopes")
    yield "ClientsService.UpdateClient", update, "ETAG_MISMATCH"
    yield "ClientsService.RotateClientSecret", rotate(request_id=key(), name=name), ""
    yield "ClientsService.RotateClientSecret", rotate(request_id=key(), name=name), "SECRETS_FULL"
    yield "ClientsService.DisableClient", clients_pb2.DisableClientRequest(request_id=key(), name=name), ""
    protected = clients_pb2.DisableClientRequest(request_id=key(), name="clients/role.gateway")
    yield "ClientsService.DisableClient", protected, "CLIENT_PROTECTED"
    yield "ClientsService.EnableClient", clients_pb2.EnableClientRequest(request_id=key(), name=name), ""
    create_key = api_keys_pb2.CreateApiKeyRequest
    new_key = create_key(request_id=key(), api_key_id=f"new-{key()}", merchant_gateway_id="TSH_WALK")
    yield "ApiKeysService.CreateApiKey", new_key, ""
    weak = create_key(request_id=key(), api_key_id="weak", merchant_gateway_id="TSH_WALK", taken_over_key="short")
    yield "ApiKeysService.CreateApiKey", weak, "SECRET_TOO_WEAK"
    applied = accounts_pb2.ApplyAccountsRequest(request_id=key(), accounts=[account("applied")])
    yield "AccountsService.ApplyAccounts", applied, ""
    replay = notifications_pb2.ReplayNotificationRequest(request_id=key(), name=known.notification)
    yield "NotificationsService.ReplayNotification", replay, ""
    created = replays_pb2.CreateReplayRequest(request_id=key(), reason="walked", dry_run=True)
    created.filter.token_id = "walked"
    yield "ReplaysService.CreateReplay", created, ""
    cancelled = replays_pb2.CancelReplayRequest(request_id=key(), name=known.replay)
    yield "ReplaysService.CancelReplay", cancelled, ""
    yield from _subscription_writes(known)
    # Before the account that holds one back is released.
    yield from rest_payment_subscriptions.writes(known.unsent_subscription, known.paused_subscription)
    yield from rest_payments.writes(known.shop)
    yield from rest_reconciliations.writes()
    yield from rest_acquirer.writes(known.acquirer)
    yield from rest_cards.writes(known.cards)
    yield from rest_webhooks.writes(known.webhooks)
    yield from rest_consumers.writes()
    # These have keys of their own: done twice they answer the same.
    revoked = api_keys_pb2.RevokeApiKeyRequest(name=f"apiKeys/{new_key.api_key_id}")
    yield "ApiKeysService.RevokeApiKey", revoked, ""
    yield "ApiKeysService.RevokeApiKey", api_keys_pb2.RevokeApiKeyRequest(name="apiKeys/no"), "RESOURCE_NOT_FOUND"
    gone = access_tokens_pb2.RevokeAccessTokenRequest(access_token="not one")
    yield "AccessTokensService.RevokeAccessToken", gone, ""


def _subscription_writes(known: Known) -> Iterator[Case]:
    service, pb = "SubscriptionsService", subscriptions_pb2
    wanted = events_pb2.EventFilter(kinds=EVENT_KINDS)
    create = pb.CreateSubscriptionRequest(request_id=key(), subscription_id=f"new-{key()}", filter=wanted)
    yield f"{service}.CreateSubscription", create, ""
    name = f"clients/{known.client_id}/subscriptions/{create.subscription_id}"
    taken = pb.CreateSubscriptionRequest(request_id=key(), subscription_id=create.subscription_id)
    yield f"{service}.CreateSubscription", taken, "RESOURCE_EXISTS"
    change = pb.UpdateSubscriptionRequest(request_id=key(), subscription=pb.Subscription(name=name))
    change.subscription.lease_duration.seconds = 60
    change.update_mask.paths.append("lease_duration")
    yield f"{service}.UpdateSubscription", change, ""
    old = pb.UpdateSubscriptionRequest(request_id=key(), subscription=pb.Subscription(name=name, etag="99"))
    old.update_mask.paths.append("filter")
    yield f"{service}.UpdateSubscription", old, "ETAG_MISMATCH"
    yield f"{service}.SeekSubscription", pb.SeekSubscriptionRequest(request_id=key(), name=name, cursor="now"), ""
    # Nothing new: a pull that hands something out differs from the next one.
    yield f"{service}.PullEvents", pb.PullEventsRequest(name=name), ""
    yield f"{service}.PullEvents", pb.PullEventsRequest(name=f"{name}-not"), "RESOURCE_NOT_FOUND"
    ahead = pb.AcknowledgeEventsRequest(name=name, sequences=[10**15])
    yield f"{service}.AcknowledgeEvents", ahead, "EVENT_NOT_DELIVERED"
    yield f"{service}.AcknowledgeEvents", pb.AcknowledgeEventsRequest(name=name, sequences=[1]), ""
    extend = pb.ExtendEventLeasesRequest(name=name, leases=[pb.EventLease(sequence=1, delivery_count=1)])
    yield f"{service}.ExtendEventLeases", extend, ""
    yield f"{service}.DeleteSubscription", pb.DeleteSubscriptionRequest(request_id=key(), name=name), ""


# What is made anew each time, or shown once, and how long it took.
ONCE = frozenset({"waited", "client_secret", "key", "secret_delivery", "access_token", "issue_time", "expire_time"})


def lasting(message: Any) -> Any:
    """The message without what a repeat does not show."""
    kept = type(message)()
    kept.CopyFrom(message)
    for name in ONCE & set(kept.DESCRIPTOR.fields_by_name):
        kept.ClearField(name)
    if type(message).__name__ in rest_consumers.TOLD_ONCE:
        kept.consumer.ClearField("personal_data")
    return kept
