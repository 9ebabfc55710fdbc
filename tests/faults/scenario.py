"""A small life of a core, step by step: what a kill in between must neither lose nor repeat."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.message import Message
from mintmark.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    api_keys_pb2,
    api_keys_pb2_grpc,
    clients_pb2,
    clients_pb2_grpc,
    notifications_pb2,
    notifications_pb2_grpc,
    tokens_pb2,
    tokens_pb2_grpc,
)

from tests.faults.core_process import CALL_SECONDS, CoreProcess

D1_GATEWAY, TSH_GATEWAY, MERCHANT = "MGW_000001", "TSH_000001", "10610027312"
IMPORTED = f"merchantGateways/{D1_GATEWAY}/merchants/{MERCHANT}/tokens/imported-1"
UPDATED = f"merchantGateways/{D1_GATEWAY}/merchants/{MERCHANT}/tokens/updated-1"
Answer = Any


@dataclass
class Scenario:
    """The steps taken on a core and the answers that came back. Taken again, every step has the same request_id."""

    core: CoreProcess
    answers: dict[str, Answer] = field(default_factory=dict)
    _admin: Any = ()
    _gateway: Any = ()

    def steps(self) -> dict[str, Callable[[], Answer]]:
        return {
            "apply accounts": self._apply_accounts,
            "create client": self._create_client,
            "create api key": lambda: self._create_api_key("tsh"),
            "create another api key": lambda: self._create_api_key("spare"),
            "record": self._record,
            "import": self._import,
            "disable": self._disable,
            "rotate": self._rotate,
            "revoke": self._revoke,
        }

    def run(self) -> dict[str, Answer]:
        """Takes all steps, as far as the core lives. The answers that arrived are acknowledged."""
        try:
            self.authenticated()
            for name, step in self.steps().items():
                self.answers[name] = step()
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                raise
        return self.answers

    def authenticated(self) -> "Scenario":
        """Fetches the access tokens that the steps are taken with."""
        self._admin, self._gateway = self.core.metadata(), self.core.metadata("role.gateway")
        return self

    def _call(self, stub: Any, method: str, request: Message, *, internal: bool = False) -> Answer:
        channel = self.core.channel(internal=internal)
        metadata = self._gateway if internal else self._admin
        return getattr(stub(channel), method)(request, metadata=metadata, timeout=CALL_SECONDS)

    def _apply_accounts(self) -> Answer:
        accounts = [
            accounts_pb2.Account(account_id=name, provider=provider, merchant_gateway_id=gateway)
            for name, provider, gateway in (
                ("d1", accounts_pb2.ACCOUNT_PROVIDER_D1_ECOM, D1_GATEWAY),
                ("tsh", accounts_pb2.ACCOUNT_PROVIDER_TSH, TSH_GATEWAY),
            )
        ]
        request = accounts_pb2.ApplyAccountsRequest(request_id=request_id(1), accounts=accounts)
        return self._call(accounts_pb2_grpc.AccountsServiceStub, "ApplyAccounts", request)

    def _create_client(self) -> Answer:
        request = clients_pb2.CreateClientRequest(
            request_id=request_id(2), client_id="thales", scopes=["d1-notify"], merchant_gateway_ids=[D1_GATEWAY]
        )
        return self._call(clients_pb2_grpc.ClientsServiceStub, "CreateClient", request)

    def _create_api_key(self, name: str) -> Answer:
        request = api_keys_pb2.CreateApiKeyRequest(
            request_id=request_id(len(name)), api_key_id=name, merchant_gateway_id=TSH_GATEWAY
        )
        return self._call(api_keys_pb2_grpc.ApiKeysServiceStub, "CreateApiKey", request)

    def _record(self) -> Answer:
        return record(self.core, self._gateway, batch())

    def _import(self) -> Answer:
        token = tokens_pb2.TokenImport(
            merchant_gateway_id=D1_GATEWAY,
            merchant_id=MERCHANT,
            token_id="imported-1",
            provider=tokens_pb2.TOKEN_PROVIDER_D1_ECOM,
        )
        request = tokens_pb2.ImportTokensRequest(request_id=request_id(6), tokens=[token])
        return self._call(tokens_pb2_grpc.TokensServiceStub, "ImportTokens", request)

    def _disable(self) -> Answer:
        request = tokens_pb2.DisableTokenRequest(request_id=request_id(7), name=IMPORTED, reason="lost")
        return self._call(tokens_pb2_grpc.TokensServiceStub, "DisableToken", request)

    def _rotate(self) -> Answer:
        request = clients_pb2.RotateClientSecretRequest(request_id=request_id(8), name="clients/thales")
        return self._call(clients_pb2_grpc.ClientsServiceStub, "RotateClientSecret", request)

    def _revoke(self) -> Answer:
        request = api_keys_pb2.RevokeApiKeyRequest(name="apiKeys/spare")
        return self._call(api_keys_pb2_grpc.ApiKeysServiceStub, "RevokeApiKey", request)


def request_id(number: int) -> str:
    return str(UUID(int=number, version=4))


def record(core: CoreProcess, metadata: Any, records: list[notifications_pb2.NotificationRecord]) -> Answer:
    stub = notifications_pb2_grpc.NotificationRecordsServiceStub(core.channel(internal=True))
    request = notifications_pb2.RecordNotificationsRequest(records=records)
    return stub.RecordNotifications(request, metadata=metadata, timeout=CALL_SECONDS)


def d1_update(token_id: str, correlation_id: str) -> notifications_pb2.NotificationRecord:
    """What the gateway hands over for a notify-update."""
    return _notification(
        notifications_pb2.NOTIFICATION_KIND_D1_TOKEN_UPDATE,
        "clients/thales",
        {"updateType": "TOKEN_METADATA_UPDATED"},
        correlation_id,
        merchant_gateway_id=D1_GATEWAY,
        merchant_id=MERCHANT,
        token_id=token_id,
        d1_token_update=notifications_pb2.D1TokenUpdate(update_type="TOKEN_METADATA_UPDATED"),
    )


def batch() -> list[notifications_pb2.NotificationRecord]:
    """One notification of D1's and two of TSH's."""
    creation = notifications_pb2.TshBinding(idv_method="NONE", creation_timestamp="2026-01-01T00:00:00Z")
    merchant = notifications_pb2.TshMerchant(scheme="VISA", last_update_timestamp="2026-01-01T00:00:00Z")
    return [
        d1_update("updated-1", "correlation-1"),
        _notification(
            notifications_pb2.NOTIFICATION_KIND_TSH_BINDING_CREATION,
            "apiKeys/tsh",
            {"tokenId": "tsh-1", "deviceId": "device-1", "merchantId": "merchant-1"},
            "correlation-2",
            merchant_id="merchant-1",
            token_id="tsh-1",
            device_id="device-1",
            tsh_binding=creation,
        ),
        _notification(
            notifications_pb2.NOTIFICATION_KIND_TSH_MERCHANT_UPDATE,
            "apiKeys/tsh",
            {"merchantId": "merchant-1", "scheme": "VISA"},
            "correlation-3",
            merchant_id="merchant-1",
            tsh_merchant=merchant,
        ),
    ]


def _notification(
    kind: notifications_pb2.NotificationKind.ValueType,
    sender: str,
    document: dict[str, str],
    correlation_id: str,
    **fields: Any,
) -> notifications_pb2.NotificationRecord:
    body = json.dumps(document, sort_keys=True).encode()
    return notifications_pb2.NotificationRecord(
        kind=kind,
        sender=sender,
        correlation_id=correlation_id,
        correlation_id_given=True,
        body=body,
        content_digest=hashlib.sha256(body).digest(),
        **fields,
    )
