"""Resources to keep: every field has a value of its own, so that a mixed-up column shows."""

from dataclasses import replace

from server.domain import names
from server.domain.accounts import Account, AccountMode, AccountProvider, InboundAuthentication
from server.domain.api_keys import ApiKey, ApiKeyState
from server.domain.bindings import Binding, BindingState
from server.domain.clients import Client, ClientSecret, ClientState
from server.domain.events import Event, EventKind
from server.domain.merchants import Merchant, SchemeRegistration
from server.domain.notifications import (
    Notification,
    NotificationFlag,
    NotificationKind,
    NotificationState,
    QuarantineReason,
)
from server.domain.tokens import Token, TokenProvider, TokenState

GATEWAY = "MGW_000001"
MERCHANT = "10610027312"
TIME = 1_700_000_000_000_000


def token(own_id: str = "t-1", gateway: str = GATEWAY, merchant_id: str = MERCHANT) -> Token:
    return Token(
        name=names.token(gateway, merchant_id, own_id),
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        token_id=own_id,
        provider=TokenProvider.TSH,
        create_time=TIME,
        update_time=TIME + 1,
        state=TokenState.UNRECOGNIZED,
        state_text="ÄÖ — 🜚 'quoted\" \\u0000",
        card_bin="453421",
        card_last_digits="2366",
        card_expiry="0420",
        token_last_digits="5589",
        token_expiry="1022",
        payment_account_reference="par",
        visa_provisioned_token_id="visa",
        refresh_generation=3,
        refreshed_generation=2,
        delivery_count=5,
        last_update_type="TOKEN_METADATA_UPDATED",
        disable_time=TIME + 2,
        disable_reason="lost",
        partner_create_time_text="2017-11-10T09:08:24.479Z",
        partner_update_time_text="2017-11-13T11:012:41.165Z",
        partner_order_time=-5,
        last_content="ab" * 32,
        revision=7,
    )


def binding(device_id: str = "d-1", gateway: str = GATEWAY, merchant_id: str = MERCHANT) -> Binding:
    return Binding(
        name=names.binding(gateway, merchant_id, "t-1", device_id),
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        token_id="t-1",
        device_id=device_id,
        token=names.token(gateway, merchant_id, "t-1"),
        create_time=TIME,
        update_time=TIME + 1,
        state=BindingState.DELETED,
        state_text="DELETED",
        device_type_text="PHONE",
        app_type_text="ANDROID",
        idv_method_text="APP_TO_APP",
        event_initiator_text="TSP",
        visa_provisioned_token_id="visa",
        delivery_count=2,
        partner_create_time_text="2017-11-10T09:08:24.479Z",
        partner_update_time_text="later",
        partner_order_time=TIME,
        last_content="cd" * 32,
        revision=2,
    )


def merchant(merchant_id: str = MERCHANT, gateway: str = GATEWAY) -> Merchant:
    registrations = (
        SchemeRegistration("MASTERCARD", "", "service", "", "2017", None, "ef" * 32),
        SchemeRegistration("VISA", "40000000080", "", "NON_RETRYABLE_ERROR", "2018", TIME, ""),
    )
    name = names.merchant(gateway, merchant_id)
    return Merchant(name, gateway, merchant_id, TIME, TIME + 1, registrations, 4, 3)


def client(client_id: str = "shop") -> Client:
    return Client(
        name=names.client(client_id),
        client_id=client_id,
        display_name="The shop",
        scopes=("bindings.read", "tokens.read"),
        merchant_gateway_ids=(GATEWAY,),
        merchant_ids=("m-1", "m-2"),
        issuer_ids=("*",),
        state=ClientState.DISABLED,
        secrets=(ClientSecret("s-1", "hash", TIME, TIME + 9), ClientSecret("s-2", "other", TIME, None, True)),
        create_time=TIME,
        update_time=TIME + 1,
        revision=4,
    )


def api_key(key_id: str = "tsh-1") -> ApiKey:
    return ApiKey(
        names.api_key(key_id), key_id, GATEWAY, (MERCHANT,), ApiKeyState.REVOKED, True, f"hash of {key_id}", TIME, 1
    )


def account(account_id: str = "d1-live") -> Account:
    return Account(
        name=names.account(account_id),
        account_id=account_id,
        provider=AccountProvider.D1_ECOM,
        display_name="D1",
        mode=AccountMode.LIVE,
        merchant_gateway_id=GATEWAY,
        merchant_ids=(MERCHANT,),
        inbound_authentication=InboundAuthentication.CERTIFICATE,
        client_certificate_common_name="d1.example",
        create_time=TIME,
        update_time=TIME + 1,
        revision=2,
    )


def notification(notification_id: str = "n-1", gateway: str = GATEWAY, merchant_id: str = MERCHANT) -> Notification:
    return Notification(
        name=names.notification(notification_id),
        kind=NotificationKind.TSH_BINDING_UPDATE,
        state=NotificationState.QUARANTINED,
        quarantine_reason=QuarantineReason.MERCHANT_NOT_BOUND,
        flags=(NotificationFlag.NUL, NotificationFlag.FIELD_ODD),
        resource="somewhere",
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        token_id="t-1",
        device_id="d-1",
        correlation_id="c-1",
        sender="apiKeys/tsh-1",
        receive_time=TIME,
        delivery_count=1,
        last_delivery_time=TIME,
        body_size=4,
        sealed_body=b"\0\xff sealed",
        sealed_record=b"\0\xfe sealed",
        resource_revision=3,
        replay_time=TIME + 3,
    )


def event(resource: str = "clients/shop", notification: str = "") -> Event:
    return Event(EventKind.CLIENT_CREATED, resource, TIME, notification=notification, details={"fields": "ä,b"})


def token_event(of: Token) -> Event:
    return replace(event(of.name), kind=EventKind.TOKEN_UPDATED, snapshot=of)
