"""Webhook configs for the walk of the REST table: made by REST, each in the state that a call needs."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import Message
from mintmark.v1 import webhook_configs_pb2 as pb

from tests.stack import Stack
from tests.waiting import eventually

Case = tuple[str, Message, str]
SERVICE = "WebhookConfigsService"
ACCOUNT = "partnerAccounts/sibs-walk"
MERCHANT = "1000000009"


def key() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Webhooks:
    """Configs by what is done with them."""

    read: str = "webhookConfigs/walk-read"
    changed: str = "webhookConfigs/walk-changed"
    rotated: str = "webhookConfigs/walk-rotated"
    deleted: str = "webhookConfigs/walk-deleted"


def open_webhooks(stack: Stack) -> Webhooks:
    sibs = {
        # Whoever is asked there says no to everything, so that each config settles.
        "baseUrl": stack.http_url,
        "acquirerId": "1",
        "clientId": "client",
        "accessToken": "token",
        "deleteByUpdate": True,
    }
    account = {"accountId": "sibs-walk", "provider": "SIBS", "merchantGatewayId": "SIBS_WALK_CONFIGS", "sibs": sibs}
    made = Webhooks()
    for path, document in (
        ("/v1/partnerAccounts:apply", {"accounts": [account]}),
        *(
            ("/v1/webhookConfigs", {"desired": {**_desired(), "webhookConfigId": name.removeprefix("webhookConfigs/")}})
            for name in (made.read, made.changed, made.rotated, made.deleted)
        ),
    ):
        answer = stack.http.post(path, json=document, headers={"Idempotency-Key": key()})
        assert answer.is_success, answer.text
    for name in (made.read, made.changed, made.rotated, made.deleted):
        eventually(partial(_refused, stack, name), 20, "the acquirer's no")
    return made


def _refused(stack: Stack, name: str) -> bool:
    answer = stack.http.get(f"/v1/{name}").json()
    return bool(answer["webhookConfig"]["state"] == "WEBHOOK_CONFIG_STATE_REJECTED")


def _desired() -> dict[str, object]:
    return {"account": ACCOUNT, "merchantId": MERCHANT, "paymentMethodCodes": ["CARD"]}


def desired(config_id: str) -> pb.DesiredWebhookConfig:
    return pb.DesiredWebhookConfig(
        webhook_config_id=config_id, account=ACCOUNT, merchant_id=MERCHANT, payment_method_codes=["CARD"]
    )


def reads(webhooks: Webhooks) -> Iterator[Case]:
    gone = f"{webhooks.read}-not"
    yield f"{SERVICE}.GetWebhookConfig", pb.GetWebhookConfigRequest(name=webhooks.read), ""
    yield f"{SERVICE}.GetWebhookConfig", pb.GetWebhookConfigRequest(name=gone), "RESOURCE_NOT_FOUND"
    merchant = pb.ListWebhookConfigsRequest(merchant_id="nobody", states=[pb.WEBHOOK_CONFIG_STATE_APPLIED])
    yield f"{SERVICE}.ListWebhookConfigs", merchant, ""
    yield f"{SERVICE}.ListWebhookConfigs", pb.ListWebhookConfigsRequest(page_size=1001), "FIELD_INVALID"
    yield f"{SERVICE}.ListUnmanagedWebhooks", pb.ListUnmanagedWebhooksRequest(account=ACCOUNT), ""
    yield f"{SERVICE}.WaitWebhookConfig", pb.WaitWebhookConfigRequest(name=webhooks.read), ""
    yield f"{SERVICE}.WaitWebhookConfig", pb.WaitWebhookConfigRequest(name=gone), "RESOURCE_NOT_FOUND"
    plan = pb.PlanWebhookConfigsRequest(account=ACCOUNT, desired=[desired("walk-new")])
    yield f"{SERVICE}.PlanWebhookConfigs", plan, ""
    wrong = pb.PlanWebhookConfigsRequest(account=ACCOUNT, desired=[desired(""), desired("walk-x"), desired("walk-x")])
    yield f"{SERVICE}.PlanWebhookConfigs", wrong, "FIELD_INVALID"


def writes(webhooks: Webhooks) -> Iterator[Case]:
    create = pb.CreateWebhookConfigRequest(request_id=key(), desired=desired("walk-created"))
    yield f"{SERVICE}.CreateWebhookConfig", create, ""
    twice = pb.CreateWebhookConfigRequest(request_id=key(), desired=desired("walk-read"))
    yield f"{SERVICE}.CreateWebhookConfig", twice, "RESOURCE_EXISTS"
    update = pb.UpdateWebhookConfigRequest(request_id=key(), name=webhooks.changed)
    update.desired.payment_method_codes.append("BLIK")
    update.update_mask.paths.append("payment_method_codes")
    yield f"{SERVICE}.UpdateWebhookConfig", update, ""
    yield f"{SERVICE}.RotateWebhookKey", pb.RotateWebhookKeyRequest(request_id=key(), name=webhooks.rotated), ""
    apply = pb.ApplyWebhookConfigsRequest(request_id=key(), account=ACCOUNT, desired=[desired("walk-applied")])
    yield f"{SERVICE}.ApplyWebhookConfigs", apply, ""
    refresh = pb.RefreshWebhookConfigsRequest(request_id=key(), account=ACCOUNT)
    yield f"{SERVICE}.RefreshWebhookConfigs", refresh, ""
    yield f"{SERVICE}.DeleteWebhookConfig", pb.DeleteWebhookConfigRequest(request_id=key(), name=webhooks.deleted), ""
    gone = pb.DeleteWebhookConfigRequest(request_id=key(), name=f"{webhooks.read}-not")
    yield f"{SERVICE}.DeleteWebhookConfig", gone, "RESOURCE_NOT_FOUND"
