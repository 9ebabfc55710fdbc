"""Who calls Mintmark all the time: partners, services, followers. Each in a thread of its own, with a pause between."""

import itertools
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from random import Random

import httpx
from mintmark.v1 import events_pb2, money_pb2
from mintmark.v1 import payments_pb2 as payments

from adapters.cli.supervisor.payments import TOKEN
from mintmark_client import Client
from tests.flows.rest_payments import details
from tests.plain import PLAIN
from tests.stack import Stack

GATEWAY, MERCHANT = "MGW_000009", "10610027312"
TOKENS = 500
REFRESHES = events_pb2.EventFilter(kinds=[events_pb2.EVENT_KIND_TOKEN_REFRESH_REQUESTED], merchant_gateway_id=GATEWAY)
SUBSCRIPTION = "soak"
# An access token lives for 900 s.
RENEW_S = 600.0


class Caller(ABC):
    """Repeats `call` until it is told to stop. `failures` has what went wrong, which nothing may."""

    pause = 0.05

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.calls = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), f"{type(self).__name__} does not end"

    @abstractmethod
    def call(self) -> None:
        """One call, or a few that belong together."""

    @abstractmethod
    def finish(self) -> None:
        """What is left to do when it is over; then it hangs up."""

    def _run(self) -> None:
        while not self._over.wait(self.pause):
            self._try(self.call)
            self.calls += 1
        self._try(self.finish)

    def _try(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self.failures.append(f"{type(self).__name__}: {error!r}")


class Notifier(Caller):
    """Thales D1: tells of tokens to read again. Every third notification is sent twice."""

    pause = 0.02

    def __init__(self, stack: Stack, number: int) -> None:
        super().__init__()
        (made,) = stack.lines(
            "clients", "create", f"soak-{number}", "--scope", "d1-notify", "--merchant-gateway", GATEWAY
        )
        self.acknowledged = 0
        self._credentials = (made["client_id"], made["client_secret"])
        self._http = httpx.Client(base_url=stack.http_url, timeout=20, verify=PLAIN)
        self._numbers = itertools.count(number)
        self._authorization = ""
        self._renew_time = 0.0

    def call(self) -> None:
        count = next(self._numbers)
        headers = {"authorization": self._authorized(), "x-correlation-id": str(uuid.uuid4())}
        path = f"/merchant-gateways/{GATEWAY}/merchants/{MERCHANT}/tokens/soak-{count % TOKENS}/notify-update"
        for _ in range(2 if count % 3 == 0 else 1):
            answer = self._http.post(path, json={"updateType": "TOKEN_METADATA_UPDATED"}, headers=headers)
            assert answer.is_success, answer.status_code
        self.acknowledged += 1

    def finish(self) -> None:
        self._http.close()

    def _authorized(self) -> str:
        if time.monotonic() >= self._renew_time:
            form = {"grant_type": "client_credentials"}
            answer = self._http.post("/oauth2/token", auth=self._credentials, data=form)
            self._authorization = f"Bearer {answer.raise_for_status().json()['access_token']}"
            self._renew_time = time.monotonic() + RENEW_S
        return self._authorization


class Service(Caller):
    """An internal service with a client of its own."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        client_id, secret = stack.credentials()
        self.client = Client(stack.grpc_address, client_id=client_id, client_secret=secret)

    def finish(self) -> None:
        self.client.close()


class Reader(Service):
    """Reads tokens, one by one and in lists, by gRPC and by REST."""

    def __init__(self, stack: Stack, seed: int) -> None:
        super().__init__(stack)
        self._chance = Random(seed)
        self._http = httpx.Client(base_url=stack.http_url, timeout=20, verify=PLAIN)

    def call(self) -> None:
        listed = self.client.tokens.list(parent=f"merchantGateways/{GATEWAY}/merchants/-", page_size=50)
        page = list(itertools.islice(listed, 50))
        for token in self._chance.sample(page, min(5, len(page))):
            assert self.client.tokens.get(token.name).refresh_generation >= token.refresh_generation
            assert self._http.get(f"/v1/{token.name}").is_success

    def finish(self) -> None:
        self._http.close()
        super().finish()


class Streamer(Service):
    """Follows events by stream, hangs up after a while, and goes on from its cursor."""

    pause = 0.2
    once = 200

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.sequences: list[int] = []
        self._cursor = "0"

    def call(self) -> None:
        self._follow(self.once)

    def finish(self) -> None:
        self._follow(None)
        super().finish()

    def _follow(self, most: int | None) -> None:
        with self.client.events.stream(self._cursor, REFRESHES, until_caught_up=True) as events:
            for event in itertools.islice(events, most):
                self.sequences.append(event.sequence)
                self._cursor = events.cursor


class Subscriber(Service):
    """Follows events by a subscription, hangs up after a while, and is handed what it has not acknowledged."""

    pause = 0.2

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.sequences: set[int] = set()
        self._name = self.client.subscriptions.create(SUBSCRIPTION, REFRESHES, start="0").name

    def call(self) -> None:
        with self.client.subscriptions.follow(self._name, until_caught_up=True) as events:
            self.sequences |= {event.sequence for event in events}

    def finish(self) -> None:
        self.call()
        super().finish()


class Payer(Service):
    """A shop: pays, waits, and pays every fifth back."""

    pause = 0.3

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.paid = 0

    def call(self) -> None:
        amount = money_pb2.Money(minor_amount=1000 + self.calls % 1000, currency_code="JPY")
        payment = self.client.payments.create(TOKEN, f"soak-{uuid.uuid4()}", amount, details())
        payment = self.client.payments.wait(payment.name, 20).payment
        assert payment.state == payments.PAYMENT_STATE_CAPTURED, payments.PaymentState.Name(payment.state)
        self.paid += 1
        if self.calls % 5 == 0:
            self.client.payments.refund(payment.name)
            payment = self.client.payments.wait(payment.name, 20).payment
            assert payment.state == payments.PAYMENT_STATE_REFUNDED, payments.PaymentState.Name(payment.state)


class Crowd:
    """All of them at once."""

    def __init__(self, stack: Stack) -> None:
        self.notifiers = [Notifier(stack, number) for number in range(2)]
        self.streamer, self.subscriber = Streamer(stack), Subscriber(stack)
        self.payer = Payer(stack)
        self._followers: list[Caller] = [self.streamer, self.subscriber]
        self._others: list[Caller] = [*self.notifiers, Reader(stack, 1), self.payer]

    @property
    def failures(self) -> list[str]:
        return [failure for each in (*self._others, *self._followers) for failure in each.failures]

    @property
    def acknowledged(self) -> int:
        """How many notifications were acknowledged, repeats left out."""
        return sum(each.acknowledged for each in self.notifiers)

    def start(self) -> None:
        for each in (*self._followers, *self._others):
            each.start()

    def stop(self) -> None:
        """Those who make events first: the others hear of all of them."""
        with ExitStack() as stack:
            for each in self._followers:
                stack.callback(each.stop)
            for each in self._others:
                stack.callback(each.stop)

    def figures(self) -> str:
        return (
            f"{self.acknowledged} notifications, {len(self.streamer.sequences)} events streamed, "
            f"{len(self.subscriber.sequences)} pulled, {self.payer.paid} payments"
        )
