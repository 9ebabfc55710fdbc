"""Resources to keep: every field has a value of its own, so that a mixed-up column shows."""

from dataclasses import replace

from server.domain import names
from server.domain.accounts import Account, AccountMode, AccountProvider, InboundAuthentication
from server.domain.api_keys import ApiKey, ApiKeyState
from server.domain.bindings import Binding, BindingState
from server.domain.clients import Client, ClientSecret, ClientState
from server.domain.consumers import Consumer, ConsumerState
from server.domain.events import Event, EventKind
from server.domain.merchants import Merchant, SchemeRegistration
from server.domain.notifications import (
    Notification,
    NotificationFlag,
    NotificationKind,
    NotificationState,
    QuarantineReason,
)
from server.domain.payment_answers import Decline, DeclineClass, Doubt, OperationKind
from server.domain.payment_evidence import Attempt, Evidence, EvidenceKind, Outcome
from server.domain.payment_exports import ExportOutcome, ExportRow, UnknownCharge
from server.domain.payment_operations import Operation, OperationState
from server.domain.payment_options import AmountUnit, HostedPagePath, PaymentCurrency, PaymentOptions, PurchasePath
from server.domain.payments import Card, Payment, PaymentState
from server.domain.tasks import Task, TaskKind
from server.domain.tokens import Token, TokenProvider, TokenState
from server.domain.webhook_configs import (
    AcquirerCall,
    AcquirerOperation,
    CallOutcome,
    Channel,
    Difference,
    Observed,
    Presence,
    Wanted,
    WebhookConfig,
    WebhookConfigState,
)

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


def consumer(own_id: str = "c-1", issuer_id: str = "ISSUER0001") -> Consumer:
    return Consumer(
        name=names.consumer(issuer_id, own_id),
        issuer_id=issuer_id,
        consumer_id=own_id,
        create_time=TIME,
        update_time=TIME + 1,
        state=ConsumerState.SUSPENDED,
        revision=7,
        sealed_personal_data=b"\0\xff sealed",
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
        payment_options=PaymentOptions(
            base_url="https://api.example",
            path_prefix="/api/v1",
            partner_merchant_id="JP1",
            purchase_path=PurchasePath.PAYMENTV2,
            currencies=(
                PaymentCurrency("EUR", AmountUnit.MAJOR, 5, 2**62),
                PaymentCurrency("JPY", AmountUnit.NONE, 0, 0),
            ),
            return_url_prefixes=("https://shop.example/ü",),
            send_concurrency=3,
            merchant_email="shop@example.com",
            hosted_page_path=HostedPagePath.OLDER,
        ),
        authorization_digest="ab",
        api_key_digest="cd",
        sealed_authorization=b"\0\xff sealed",
        sealed_api_key=b"\1\xfe sealed",
        held=True,
        hold_reason="incident",
    )


DECLINE = Decline(DeclineClass.RISK, "ERR3004", "-8003", "nö", 201)


def payment(payment_id: str = "p-1", gateway: str = GATEWAY, merchant_id: str = MERCHANT) -> Payment:
    name = f"payments/{payment_id}"
    return Payment(
        name=name,
        merchant_payment_id="order-1",
        token=names.token(gateway, merchant_id, "t-1"),
        account="partnerAccounts/po",
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        currency_code="EUR",
        minor_amount=2**62,
        create_time=TIME,
        update_time=TIME + 1,
        state=PaymentState.IN_DOUBT,
        merchant_payment_key=f"{gateway}\n{merchant_id}\n{payment_id}",
        authorized_minor_amount=1,
        captured_minor_amount=2,
        refunded_minor_amount=3,
        unresolved_minor_amount=4,
        in_doubt=True,
        settled=True,
        duplicate_charge=True,
        redirect_expire_time=TIME + 2,
        decline=DECLINE,
        card=Card("400000******1091", "MASTERCARD", "1224"),
        evidence_count=7,
        correlation_id="c-1",
        revision=3,
        sealed_details=b"\0\xff details",
        sealed_redirect_url=b"\0\xff url",
    )


def operation(operation_id: str = "p-1", number: int = 1) -> Operation:
    name = f"payments/{operation_id}/operations/{number}"
    return Operation(
        name=name,
        payment=f"payments/{operation_id}",
        account="partnerAccounts/po",
        number=number,
        kind=OperationKind.REFUND,
        state=OperationState.IN_DOUBT,
        minor_amount=5,
        currency_code="EUR",
        amount_unit=AmountUnit.MAJOR,
        reference=f"{operation_id}-{number}",
        partner_merchant_id="JP1",
        stored_payment_method_id="method",
        live=True,
        send_before=TIME + 1,
        create_time=TIME,
        update_time=TIME + 2,
        parent="payments/p/operations/0",
        parent_transaction_id="parent",
        confirmed_minor_amount=4,
        partner_transaction_id=f"t-{operation_id}-{number}",
        partner_reference="74811",
        auth_code="268004",
        doubt=Doubt.CODE_UNCLEAR,
        decline=DECLINE,
        attempt_count=2,
        in_flight_until=TIME + 3,
        action_required=True,
        hinted=True,
        redirect_expire_time=TIME + 4,
        attend_time=TIME + 5,
        store_payment_method=True,
    )


def attempt(attempt_id: str = "p-1") -> Attempt:
    operation_name = f"payments/{attempt_id}/operations/1"
    return Attempt(
        name=names.attempt(operation_name, 1),
        operation=operation_name,
        number=1,
        client="clients/role.dispatcher",
        request_id=f"r-{attempt_id}",
        task="tasks/t",
        fence=3,
        begin_time=TIME,
        send_by=TIME + 1,
        outcome=Outcome.UNKNOWN,
        report_time=TIME + 2,
    )


def evidence(number: int = 1, payment_name: str = "payments/p-1") -> Evidence:
    return Evidence(
        name=names.evidence(payment_name, number),
        payment=payment_name,
        operation=f"{payment_name}/operations/1",
        kind=EvidenceKind.STATUS_ANSWER,
        time=TIME,
        state_before=OperationState.IN_DOUBT,
        state_after=OperationState.SUCCEEDED,
        summary="said sö",
        actor="clients/role.dispatcher",
        attempt=2,
        partner_transaction_id="t-1",
        digest=bytes([number]) * 32,
        sealed_body=b"\0\xff body",
    )


def task(task_id: str = "t-1", kind: TaskKind = TaskKind.QUERY_TRANSACTION) -> Task:
    return Task(
        name=f"tasks/{task_id}",
        kind=kind,
        account="partnerAccounts/d1-live",
        payment="payments/p-1",
        operation="payments/p-1/operations/1",
        due_time=TIME,
        create_time=TIME - 1,
        correlation_id="c-1",
        partner_transaction_id="t-1",
        tries=4,
        fence=5,
        holder="clients/role.dispatcher",
        lease_expire_time=TIME + 6,
    )


def unknown_charge(
    charge_id: str = "t-9", account: str = "partnerAccounts/po", gateway: str = GATEWAY
) -> UnknownCharge:
    row = ExportRow(
        line=7,
        partner_transaction_id=charge_id,
        reference="lost-ä",
        transaction_type="CAPTURE",
        amount="12.50",
        currency_code="EUR",
        outcome=ExportOutcome.PARTLY_DONE,
        outcome_text="Settled",
        response_code="10",
        partner_merchant_id="JP00000328",
        time_text="today",
    )
    return UnknownCharge(names.unknown_charge(account, charge_id), account, gateway, "", row, "clients/shop", TIME)


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


def webhook_config(config_id: str = "w-1", account: str = "partnerAccounts/sibs") -> WebhookConfig:
    wanted = Wanted(Channel.URL, "https://x.example/ü", ("BLIK", "CARD"), "ops@example.com", "AES-256-GCM", "200")
    call = AcquirerCall(AcquirerOperation.CREATE, CallOutcome.ACCEPTED, "r-1", 200, "ACTC", "000", time=TIME)
    return WebhookConfig(
        name=names.webhook_config(config_id),
        webhook_config_id=config_id,
        account=account,
        merchant_gateway_id=GATEWAY,
        merchant_id=MERCHANT,
        acceptor_id="2",
        terminal_id="3",
        stated_value="",
        stated_support_email="ops@example.com",
        stated_acknowledgement_status_code="",
        wanted=wanted,
        notification_configuration_code="0f8fad5b-d9cb-469f-a165-70867728950e",
        create_time=TIME,
        update_time=TIME + 1,
        state=WebhookConfigState.DRIFTED,
        generation=3,
        applied_generation=2,
        applied=wanted,
        presence=Presence.PRESENT,
        observed=Observed(True, TIME, "URL", "https://y.example", ("CARD",), foreign_key=True),
        differences=(Difference("key", "k", "foreign"),),
        refresh_wanted_time=TIME,
        list_time=TIME,
        call_time=TIME,
        calls=(call,),
        actor="clients/shop",
        apply_time=TIME,
        delete_time=TIME + 9,
        revision=4,
    )
