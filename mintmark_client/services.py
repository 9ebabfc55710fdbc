"""The API by its nouns."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import grpc

from mintmark_client.acquirer_transactions import AcquirerTransactions
from mintmark_client.bindings import Bindings
from mintmark_client.calls import Calls, Options
from mintmark_client.card_accesses import CardDataAccesses
from mintmark_client.card_keys import CardKeys
from mintmark_client.cards import Cards
from mintmark_client.connection import Connection
from mintmark_client.consumers import Consumers
from mintmark_client.events import Events
from mintmark_client.issuer_operations import IssuerOperations
from mintmark_client.merchants import Merchants
from mintmark_client.notifications import Notifications
from mintmark_client.payment_subscriptions import PaymentSubscriptions
from mintmark_client.payments import Payments
from mintmark_client.replays import Replays
from mintmark_client.subscriptions import Subscriptions
from mintmark_client.tokens import Tokens
from mintmark_client.webhook_configs import WebhookConfigs

Stub = TypeVar("Stub")


class Services:
    """The nouns, called with the same options. Safe for threads.

    Every call raises MintmarkError. What passes (UNAVAILABLE, ABORTED, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED) is tried
    again within the call's timeout, a write with the same request_id.
    """

    def __init__(self, connection: Connection, options: Options) -> None:
        self._connection = connection
        self._options = options
        self._channel = grpc.intercept_channel(connection.channel, Calls(connection, options))
        self.tokens = Tokens(self._channel)
        self.bindings = Bindings(self._channel)
        self.merchants = Merchants(self._channel)
        self.notifications = Notifications(self._channel)
        self.replays = Replays(self._channel)
        self.payments = Payments(self._channel)
        self.payment_subscriptions = PaymentSubscriptions(self._channel)
        self.acquirer_transactions = AcquirerTransactions(self._channel)
        self.issuer_operations = IssuerOperations(self._channel)
        self.cards = Cards(self._channel)
        self.card_keys = CardKeys(self._channel)
        self.card_data_accesses = CardDataAccesses(self._channel)
        self.consumers = Consumers(self._channel)
        self.webhook_configs = WebhookConfigs(self._channel)
        self.events = Events(self._channel, connection, options)
        self.subscriptions = Subscriptions(self._channel, connection, options)

    def using(self, *, timeout: float | None = None, correlation_id: str = "") -> "Services":
        """The same with other options, on the same connections.

        `timeout` is the seconds that a call may take with all its tries (a list: each page). `correlation_id` is sent
        with every call (128 characters of `A-Za-z0-9._~:@/+=-`); without one each call has its own.
        """
        options = replace(
            self._options,
            timeout=self._options.timeout if timeout is None else timeout,
            correlation_id=correlation_id or self._options.correlation_id,
        )
        return Services(self._connection, options)

    def stub(self, stub: Callable[[grpc.Channel], Stub]) -> Stub:
        """A generated stub whose calls are authenticated, tried again and told as MintmarkError like all others.

        A missing request_id is filled in; what is shown only once (a secret) is lost where the first answer was.
        Streams are authenticated too, but end with gRPC's own errors and share the connection of all calls.
        """
        return stub(self._channel)
