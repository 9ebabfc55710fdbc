"""Subscriptions as their tests use them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import events_pb2, tokens_pb2
from mintmark.v1 import subscriptions_pb2 as pb

from server.core import Core
from server.settings import load
from tests.server.rpc.running import RunningCore, Session, request_id

SCOPES = ("subscriptions.read", "subscriptions.write", "events.read")
MERCHANT = "m-1"


def subscribe(session: Session, start: str = "0", lease: int = 0, id_: str = "orders", **wanted: Any) -> str:
    """The name of a new subscription."""
    request = pb.CreateSubscriptionRequest(
        request_id=request_id(),
        subscription_id=id_,
        filter=events_pb2.EventFilter(**wanted),
        start_cursor=start,
        lease_duration=Duration(seconds=lease) if lease else None,
    )
    return session.subscriptions.CreateSubscription(request).subscription.name


def pull(session: Session, name: str, most: int = 0, wait: int = 0, **call: Any) -> pb.PullEventsResponse:
    request = pb.PullEventsRequest(name=name, max_events=most, wait=Duration(seconds=wait))
    return session.subscriptions.PullEvents(request, **call)


def pulled(session: Session, name: str, most: int = 0, wait: int = 0) -> list[int]:
    return [each.event.sequence for each in pull(session, name, most, wait).events]


def acknowledge(session: Session, name: str, *sequences: int) -> int:
    request = pb.AcknowledgeEventsRequest(name=name, sequences=sequences)
    return session.subscriptions.AcknowledgeEvents(request).acknowledged_count


def extend(session: Session, name: str, leases: Sequence[tuple[int, int]], seconds: int | None = None) -> list[int]:
    """The leases that are lost."""
    request = pb.ExtendEventLeasesRequest(
        name=name,
        leases=[pb.EventLease(sequence=sequence, delivery_count=count) for sequence, count in leases],
        lease_duration=None if seconds is None else Duration(seconds=seconds),
    )
    return list(session.subscriptions.ExtendEventLeases(request).lost_sequences)


def get(session: Session, name: str) -> pb.Subscription:
    return session.subscriptions.GetSubscription(pb.GetSubscriptionRequest(name=name)).subscription


def listed(session: Session, parent: str = "") -> list[str]:
    """The names of those that the caller sees."""
    request = pb.ListSubscriptionsRequest(parent=parent)
    return [each.name for each in session.subscriptions.ListSubscriptions(request).subscriptions]


def seek(session: Session, name: str, cursor: str) -> pb.Subscription:
    request = pb.SeekSubscriptionRequest(request_id=request_id(), name=name, cursor=cursor)
    return session.subscriptions.SeekSubscription(request).subscription


def delete(session: Session, name: str, etag: str = "") -> None:
    request = pb.DeleteSubscriptionRequest(request_id=request_id(), name=name, etag=etag)
    session.subscriptions.DeleteSubscription(request)


def token_name(place: str, token_id: str) -> str:
    return f"merchantGateways/{place}/merchants/{MERCHANT}/tokens/{token_id}"


def happen(core: RunningCore, place: str, *token_ids: str) -> list[int]:
    """One event for each token named, in that order; the sequences."""
    start = core.admin.head()
    for token_id in token_ids:
        name = token_name(place, token_id)
        disable = tokens_pb2.DisableTokenRequest(request_id=request_id(), name=name, reason="x")
        known = {token.name: token for token in _tokens(core, place)}
        if name not in known:
            entry = tokens_pb2.TokenImport(
                merchant_gateway_id=place,
                merchant_id=MERCHANT,
                token_id=token_id,
                provider=tokens_pb2.TokenProvider.TOKEN_PROVIDER_TSH,
            )
            core.admin.tokens.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[entry]))
        elif known[name].HasField("disable_time"):
            core.admin.tokens.EnableToken(tokens_pb2.EnableTokenRequest(request_id=request_id(), name=name))
        else:
            core.admin.tokens.DisableToken(disable)
    return [event.sequence for event in core.admin.events_after(start, merchant_gateway_id=place)]


def _tokens(core: RunningCore, place: str) -> Sequence[tokens_pb2.Token]:
    request = tokens_pb2.ListTokensRequest(parent=f"merchantGateways/{place}/merchants/-", page_size=1000)
    return core.admin.tokens.ListTokens(request).tokens


@contextmanager
def another_core(beside: RunningCore, folder: Path) -> Iterator[str]:
    """The address of a second core on the same database."""
    taken = {"grpc_address", "admin_address", "internal_address"}
    settings = {key: value for key, value in beside.settings.model_dump().items() if key not in taken}
    address = f"unix:{folder}/other.sock"
    own = {"admin_address": f"unix:{folder}/admin.sock", "internal_address": f"unix:{folder}/internal.sock"}
    core = Core(load({**settings, "grpc_address": address, **own}))
    try:
        yield address
    finally:
        core.stop()
