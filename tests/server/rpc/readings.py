"""What a core shows of a gateway's one token, device and merchant that the tests report on."""

from mintmark.v1 import bindings_pb2, events_pb2, merchants_pb2, notifications_pb2, tokens_pb2

from tests.server.rpc.notices import MERCHANT
from tests.server.rpc.running import RunningCore


def token(core: RunningCore, place: str, token_id: str = "t-1") -> tokens_pb2.Token:  # noqa: S107  a payment token
    name = f"merchantGateways/{place}/merchants/{MERCHANT}/tokens/{token_id}"
    return core.admin.tokens.GetToken(tokens_pb2.GetTokenRequest(name=name)).token


def binding(core: RunningCore, place: str) -> bindings_pb2.Binding:
    name = f"merchantGateways/{place}/merchants/{MERCHANT}/tokens/t-1/bindings/d-1"
    return core.admin.bindings.GetBinding(bindings_pb2.GetBindingRequest(name=name)).binding


def merchant(core: RunningCore, place: str) -> merchants_pb2.Merchant:
    name = f"merchantGateways/{place}/merchants/{MERCHANT}"
    return core.admin.merchants.GetMerchant(merchants_pb2.GetMerchantRequest(name=name)).merchant


def notification(core: RunningCore, name: str) -> notifications_pb2.Notification:
    request = notifications_pb2.GetNotificationRequest(name=name)
    return core.admin.notifications.GetNotification(request).notification


def kinds(core: RunningCore, place: str) -> list[str]:
    """What happened at a gateway, in words."""
    events = core.admin.events_after("0", merchant_gateway_id=place)
    return [events_pb2.EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in events]
