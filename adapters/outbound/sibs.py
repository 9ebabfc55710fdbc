"""The SIBS acquirer: what calls to it look like (its contract, sections 1, 2 and 6)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from mintmark.v1 import tasks_pb2 as pb
from mintmark.v1 import webhook_configs_pb2 as configs

CHANNELS = {configs.NOTIFICATION_CHANNEL_URL: "URL", configs.NOTIFICATION_CHANNEL_EMAIL: "EMAIL"}
CREATE = configs.ACQUIRER_OPERATION_CREATE
UPDATE = configs.ACQUIRER_OPERATION_UPDATE
DELETE = configs.ACQUIRER_OPERATION_DELETE
LIST = configs.ACQUIRER_OPERATION_LIST
STATUS = configs.ACQUIRER_OPERATION_STATUS
WEBHOOK = "/{version}/acquirers/{acquirer}/merchants/{merchant}/terminal/webhook"
WEBHOOKS = "/{version}/webhooks"
INQUIRY = "/{transaction}/status"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to the acquirer, but for its headers. `url` is empty where there can be none; `template` is its path
    without ids."""

    operation: "configs.AcquirerOperation.ValueType"
    method: str
    url: str = field(repr=False)
    template: str
    content: bytes = field(default=b"", repr=False)


def change(application: pb.WebhookConfigApplication, operation: "configs.AcquirerOperation.ValueType") -> Asked:
    """Create, update or delete: one path, one body. Deleting is an update that says DEL."""
    scope = {"acceptorId": application.acceptor_id, "terminalId": application.terminal_id}
    query = urlencode({name: text for name, text in scope.items() if text})
    method = "POST" if operation == CREATE else "PUT"
    url = _url(application.endpoint, WEBHOOK, merchant=application.merchant_id)
    return Asked(
        operation,
        method,
        f"{url}?{query}" if url and query else url,
        WEBHOOK,
        _written(document(application, "DEL" if operation == DELETE else "INS")),
    )


def listing(endpoint: pb.AcquirerEndpoint, merchant_id: str, acceptor_id: str, terminal_id: str) -> Asked:
    """What the acquirer has for a merchant, a store or a terminal."""
    wanted = {
        "acquirerId": endpoint.acquirer_id,
        "merchantId": merchant_id,
        "acceptorId": acceptor_id,
        "terminalId": terminal_id,
    }
    content = _written({name: text for name, text in wanted.items() if text})
    return Asked(LIST, "POST", _url(endpoint, WEBHOOKS), WEBHOOKS, content)


def inquiry(query: pb.AcquirerTransactionQuery) -> Asked:
    """The status of a transaction."""
    return Asked(STATUS, "GET", _url(query.endpoint, INQUIRY, transaction=query.transaction_id), INQUIRY)


def headers(asked: Asked, endpoint: pb.AcquirerEndpoint, access_token: str, request_id: str) -> dict[str, str]:
    """All six; of a status inquiry those that it documents, and the id that we give each call."""
    made = {
        "authorization": f"Bearer {access_token}",
        "x-ibm-client-id": endpoint.client_id,
        "tpp-request-id": request_id,
    }
    if asked.operation == STATUS:
        return made
    made |= {"user-id": endpoint.user_id, "user-organization-id": endpoint.user_organization_id}
    return made | {"content-type": "application/json"}


def document(application: pb.WebhookConfigApplication, operation_type: str) -> dict[str, Any]:
    """The body of a change."""
    names = application.endpoint.field_names
    channel: dict[str, Any] = {
        "notificationType": CHANNELS[application.channel],
        names.value: application.value,
    }
    if application.channel == configs.NOTIFICATION_CHANNEL_URL:
        channel["security"] = {
            names.key: application.key,
            **({"supportEmail": application.support_email} if application.support_email else {}),
            names.algorithm: application.algorithm,
        }
    return {
        "notificationConfigurationCode": application.notification_configuration_code,
        "requestOperationType": operation_type,
        "paymentMethods": [{"paymentMethodNotificationCode": code} for code in application.payment_method_codes],
        "channelTypeNotification": channel,
    }


def _url(endpoint: pb.AcquirerEndpoint, template: str, **places: str) -> str:
    """Empty where an id cannot be a part of a path, even encoded: it would lead elsewhere."""
    segments = {"version": endpoint.version_id, "acquirer": endpoint.acquirer_id, **places}
    if any(segments[name] in {"", ".", ".."} for name in segments if f"{{{name}}}" in template):
        return ""
    path = template.format_map({name: quote(text, safe="") for name, text in segments.items()})
    return f"{endpoint.base_url.rstrip('/')}{endpoint.path_prefix}{path}"


def _written(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
