"""The acquirer's transactions over REST and over gRPC alike, after a notification that opens and one that does not."""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from google.protobuf.message import Message
from mintmark.v1 import acquirer_notifications_pb2 as np
from mintmark.v1 import acquirer_transactions_pb2 as pb

from tests.server.rpc.acquiring import Envelope, said, sealed
from tests.server.rpc.running import request_id as key
from tests.stack import Stack
from tests.waiting import eventually

Case = tuple[str, Message, str]
TRANSACTIONS, UNREADABLE = "AcquirerTransactionsService", "UnreadableNotificationsService"
ACCOUNT, GATEWAY, MERCHANT, CONFIG = "walked-sibs", "SIBS_WALK", "1000000077", "walked"


@dataclass(frozen=True)
class Acquirer:
    """A transaction whose account says where its status can be asked for, and the config that told of it."""

    transaction: str
    config: str = f"webhookConfigs/{CONFIG}"


def _post(stack: Stack, path: str, document: dict[str, object]) -> None:
    answer = stack.http.post(path, json=document, headers={"Idempotency-Key": key()})
    assert answer.is_success, answer.text


def _notify(stack: Stack, envelope: Envelope) -> httpx.Response:
    headers = {
        "x-initialization-vector": base64.b64encode(envelope.initialization_vector).decode(),
        "x-authentication-tag": base64.b64encode(envelope.tag).decode(),
    }
    body = base64.b64encode(envelope.ciphertext)
    return stack.http.post(f"/sibs/notifications/{CONFIG}", content=body, headers=headers)


def open_acquirer(stack: Stack) -> Acquirer:
    secret = os.urandom(32)
    sibs = {
        "baseUrl": "http://127.0.0.1:9",
        "paymentsBaseUrl": "http://127.0.0.1:9",
        "acquirerId": "1",
        "clientId": "client",
        "accessToken": "token",
    }
    account = {
        "accountId": ACCOUNT,
        "provider": "SIBS",
        "merchantGatewayId": GATEWAY,
        "merchantIds": [MERCHANT],
        "sibs": sibs,
    }
    _post(stack, "/v1/partnerAccounts:apply", {"accounts": [account]})
    desired = {
        "webhookConfigId": CONFIG,
        "account": f"partnerAccounts/{ACCOUNT}",
        "merchantId": MERCHANT,
        "paymentMethodCodes": ["BLIK"],
        "key": base64.b64encode(secret).decode(),
    }
    _post(stack, "/v1/webhookConfigs", {"desired": desired})
    message = said(transactionID="walked/1")
    good = sealed(secret, json.dumps(message).encode())
    eventually(lambda: _notify(stack, good).status_code == 200, what="the acknowledgement")
    assert _notify(stack, sealed(os.urandom(32), b"{}")).status_code == 400
    return Acquirer(f"acquirerTransactions/{ACCOUNT}~walked%2F1")


def reads(acquirer: Acquirer) -> Iterator[Case]:
    name = acquirer.transaction
    yield f"{TRANSACTIONS}.GetAcquirerTransaction", pb.GetAcquirerTransactionRequest(name=name), ""
    gone = pb.GetAcquirerTransactionRequest(name=f"{name}-not")
    yield f"{TRANSACTIONS}.GetAcquirerTransaction", gone, "RESOURCE_NOT_FOUND"
    listed = pb.ListAcquirerTransactionsRequest(
        account=f"partnerAccounts/{ACCOUNT}", states=[pb.ACQUIRER_TRANSACTION_STATE_SUCCESS], page_size=2
    )
    yield f"{TRANSACTIONS}.ListAcquirerTransactions", listed, ""
    endless = pb.ListAcquirerTransactionsRequest(page_size=1001)
    yield f"{TRANSACTIONS}.ListAcquirerTransactions", endless, "FIELD_INVALID"
    reports = pb.ListAcquirerTransactionReportsRequest(name=name)
    yield f"{TRANSACTIONS}.ListAcquirerTransactionReports", reports, ""
    kept = np.ListUnreadableNotificationsRequest(webhook_config=acquirer.config)
    yield f"{UNREADABLE}.ListUnreadableNotifications", kept, ""


def writes(acquirer: Acquirer) -> Iterator[Case]:
    refresh = pb.RefreshAcquirerTransactionRequest(request_id=key(), name=acquirer.transaction)
    yield f"{TRANSACTIONS}.RefreshAcquirerTransaction", refresh, ""
    gone = pb.RefreshAcquirerTransactionRequest(request_id=key(), name=f"{acquirer.transaction}-not")
    yield f"{TRANSACTIONS}.RefreshAcquirerTransaction", gone, "RESOURCE_NOT_FOUND"
    opened = np.OpenUnreadableNotificationsRequest(request_id=key(), webhook_config=acquirer.config)
    yield f"{UNREADABLE}.OpenUnreadableNotifications", opened, ""
    nowhere = np.OpenUnreadableNotificationsRequest(request_id=key(), webhook_config=f"{acquirer.config}-not")
    yield f"{UNREADABLE}.OpenUnreadableNotifications", nowhere, "RESOURCE_NOT_FOUND"
