"""Customers of a campaign: each asks for one order and for what follows it, several at a time and more than once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random

import grpc
from mintmark.v1 import payments_pb2 as pb

from tests.faults.payments.books import in_doubt, settled
from tests.faults.payments.orders import Asking, Order, Step
from tests.faults.payments.partner import FOLLOWING
from tests.faults.payments.payer import uuid
from tests.faults.payments.till import Till
from tests.waiting import eventually

# Of what is asked for by one order.
MOST_ASKED = 1 << 12


@dataclass
class Customer:
    """`asked` are the operations that it was granted, by name; `refused` counts what was not asked for after all."""

    till: Till
    order: Order
    chance: Random
    # How long it waits for an operation to end before it goes away.
    patience: float
    payment: str = ""
    asked: dict[str, Asking] = field(default_factory=dict)
    # Whether it wanted no more charges of what it has subscribed to.
    cancelled: bool = False
    refused: int = 0
    _ids: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        first = (self.order.number << 16) + MOST_ASKED
        self._ids = iter(range(first, first + MOST_ASKED))

    def serve(self) -> "Customer":
        self._order()
        if self.order.paged:
            self._pay_on_page()
        for step in self.order.steps:
            if not self._came_to_its_end():
                break
            self._follow(step)
        if self.order.subscribed and self.order.wavering:
            self._cancel()
        return self

    def _order(self) -> None:
        """The first operation: asked for by several with one `request_id`, and by rivals with their own."""
        order = self.order
        with ThreadPoolExecutor(order.racers + order.rivals) as pool:
            calls = [pool.submit(self._repeat, 0, self.chance.random()) for _ in range(order.racers)]
            rivals = [pool.submit(self._repeat, number, 0) for number in range(1, order.rivals + 1)]
            found = {each.result() for each in (*calls, *rivals)}
        found.discard("")
        assert len(found) == 1, f"order {order.number} became {found}"
        self.payment = found.pop()

    def _repeat(self, attempt: int, pause: float) -> str:
        """The name of the payment, which every repetition has to give; a rival may be refused."""
        ask = {
            "authorization": self.till.authorize,
            "payment": self.till.create,
            "hosted-link": self.till.page,
            "subscription-create": self.till.subscribe,
        }[self.order.endpoint]
        try:
            names = set()
            for _ in range(2):
                names.add(ask(self.till.order(self.order.number, self.order.method, attempt)).name)
                wait(pause)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                return ""
            raise
        assert len(names) == 1, f"one request_id gave {names}"
        return names.pop()

    def _pay_on_page(self) -> None:
        """What the payer does once there is a link; without one nothing."""
        if not self._came_to_its_end():
            return
        payment = self.till.get(self.payment)
        if payment.state != pb.PAYMENT_STATE_REQUIRES_ACTION:
            return
        for decision in ("decline", "pay") if self.order.wavering else ("pay",):
            press = partial(self.till.partner.press, payment.operations[0].reference, decision)
            eventually(press, 60, f"{decision} on a page")

    def _cancel(self) -> None:
        """Maybe in the middle of its creation."""
        try:
            self.till.unsubscribe(self.payment, uuid(next(self._ids)))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
        else:
            self.cancelled = True

    def _came_to_its_end(self) -> bool:
        """Waits for what was asked for, also for an answer that asking the partner may still bring. Whether it came."""
        until = time.monotonic() + self.patience

        def over() -> bool:
            payment = self.till.get(self.payment)
            if settled(payment) and not in_doubt(payment):
                return True
            # What has not come to its end by now most likely never does.
            self.patience = self.patience if time.monotonic() < until else 0
            return self.patience == 0

        eventually(over, self.patience + 60, f"the end of {self.payment}")
        return settled(self.till.get(self.payment))

    def _follow(self, step: Step) -> None:
        with ThreadPoolExecutor(sum(asking.callers for asking in step)) as pool:
            calls = [
                (
                    asking,
                    [
                        pool.submit(self._ask, asking, request_id, self.chance.random() / 4)
                        for _ in range(asking.callers)
                    ],
                )
                for asking in step
                for request_id in [uuid(next(self._ids))]
            ]
            for asking, made in calls:
                names = {each.result() for each in made} - {""}
                assert len(names) <= 1, f"one request_id gave {names}"
                self.refused += not names
                self.asked |= dict.fromkeys(names, asking)

    def _ask(self, asking: Asking, request_id: str, pause: float) -> str:
        """The name of the operation, which every repetition has to give; empty where it was refused: then nothing was
        asked for. A repetition after a refusal asks anew, with the same id."""
        names = set()
        for _ in range(2):
            try:
                payment = self.till.follow(asking.kind, self.payment, asking.amount, request_id)
            except grpc.RpcError as error:
                # In doubt, or nothing is left of it.
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
            else:
                names.add(payment.operations[-1].name)
                assert FOLLOWING[payment.operations[-1].kind] == asking.kind
            wait(pause)
        assert len(names) <= 1, f"one request_id gave {names}"
        return names.pop() if names else ""


def wait(seconds: float) -> None:
    moment = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= moment, max(seconds, 0) + 60)
