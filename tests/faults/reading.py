"""Everything that the public API lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from mintmark.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    api_keys_pb2,
    api_keys_pb2_grpc,
    bindings_pb2,
    bindings_pb2_grpc,
    clients_pb2,
    clients_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    merchants_pb2,
    merchants_pb2_grpc,
    notifications_pb2,
    notifications_pb2_grpc,
    tokens_pb2,
    tokens_pb2_grpc,
)

from tests.faults.core_process import CALL_SECONDS

WHOLE_PAGE = 1000


@dataclass(frozen=True)
class Seen:
    """What the public API shows, without what differs between two runs of the same steps."""

    tokens: tuple[Any, ...]
    bindings: tuple[Any, ...]
    merchants: tuple[Any, ...]
    clients: tuple[Any, ...]
    api_keys: tuple[Any, ...]
    accounts: tuple[Any, ...]
    notifications: tuple[Any, ...]
    events: tuple[Any, ...]


class Reading:
    """Everything that a core's public API lists, as an administrator sees it."""

    def __init__(self, channel: grpc.Channel, metadata: Any) -> None:
        self._channel = channel
        self._metadata = metadata

    def seen(self) -> Seen:
        events = self.events()
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        return Seen(
            tokens=tuple((each.name, each.state, each.HasField("disable_time")) for each in self.tokens()),
            bindings=tuple((each.name, each.state, each.etag) for each in self.bindings()),
            merchants=tuple((each.name, len(each.scheme_registrations), each.etag) for each in self.merchants()),
            clients=tuple((each.name, each.state, len(each.secrets), each.etag) for each in self.clients()),
            api_keys=tuple((each.name, each.state) for each in self.api_keys()),
            accounts=tuple((each.name, each.etag) for each in self.accounts()),
            notifications=tuple(sorted((each.correlation_id, each.state) for each in self.notifications())),
            events=tuple((each.kind, each.resource) for each in events),
        )

    def tokens(self) -> list[tokens_pb2.Token]:
        return list(self._pages(tokens_pb2_grpc.TokensServiceStub, "ListTokens", tokens_pb2.ListTokensRequest))

    def bindings(self) -> list[bindings_pb2.Binding]:
        stub = bindings_pb2_grpc.BindingsServiceStub
        return list(self._pages(stub, "ListBindings", bindings_pb2.ListBindingsRequest))

    def merchants(self) -> list[merchants_pb2.Merchant]:
        stub = merchants_pb2_grpc.MerchantsServiceStub
        return list(self._pages(stub, "ListMerchants", merchants_pb2.ListMerchantsRequest))

    def clients(self) -> list[clients_pb2.Client]:
        return list(self._pages(clients_pb2_grpc.ClientsServiceStub, "ListClients", clients_pb2.ListClientsRequest))

    def api_keys(self) -> list[api_keys_pb2.ApiKey]:
        return list(self._pages(api_keys_pb2_grpc.ApiKeysServiceStub, "ListApiKeys", api_keys_pb2.ListApiKeysRequest))

    def accounts(self) -> list[accounts_pb2.Account]:
        stub = accounts_pb2_grpc.AccountsServiceStub
        return list(self._pages(stub, "ListAccounts", accounts_pb2.ListAccountsRequest))

    def notifications(self) -> list[notifications_pb2.Notification]:
        stub = notifications_pb2_grpc.NotificationsServiceStub
        return list(self._pages(stub, "ListNotifications", notifications_pb2.ListNotificationsRequest))

    def events(self) -> list[events_pb2.Event]:
        stub = events_pb2_grpc.EventsServiceStub(self._channel)
        events: list[events_pb2.Event] = []
        cursor = "0"
        while True:
            request = events_pb2.ListEventsRequest(cursor=cursor, page_size=WHOLE_PAGE)
            page = stub.ListEvents(request, metadata=self._metadata, timeout=CALL_SECONDS)
            events += page.events
            cursor = page.next_cursor
            if page.caught_up:
                return events

    def _pages(self, stub: Any, method: str, request: Any) -> Iterator[Any]:
        call = getattr(stub(self._channel), method)
        token = ""
        while True:
            answer = call(
                request(page_size=WHOLE_PAGE, page_token=token), metadata=self._metadata, timeout=CALL_SECONDS
            )
            lists = (value for each, value in answer.ListFields() if each.name != "next_page_token")
            yield from next(lists, ())
            token = answer.next_page_token
            if not token:
                return
