"""What the acquirer knows of what it sent, and what must have come of it whatever was killed meanwhile."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1 import acquirer_transactions_pb2_grpc

from tests.faults.core_process import CALL_SECONDS
from tests.faults.reading import WHOLE_PAGE, Reading

FINAL = ("Success", "Declined")


@dataclass(frozen=True)
class Line:
    """A notification that was acknowledged: what it said, and how often an acknowledgement came back."""

    message: dict[str, Any]
    acknowledged: int

    @property
    def transaction_id(self) -> str:
        return str(self.message["transactionID"])


@dataclass(frozen=True)
class Sums:
    """Of one set of books: how many there are of each, and what was paid in minor units."""

    notifications: int
    transactions: int
    paid: int
    minor_amount: int


def transactions(channel: grpc.Channel, metadata: Any) -> Iterator[pb.AcquirerTransaction]:
    stub = acquirer_transactions_pb2_grpc.AcquirerTransactionsServiceStub(channel)
    token = ""
    while True:
        request = pb.ListAcquirerTransactionsRequest(page_size=WHOLE_PAGE, page_token=token)
        page = stub.ListAcquirerTransactions(request, metadata=metadata, timeout=CALL_SECONDS)
        yield from page.acquirer_transactions
        token = page.next_page_token
        if not token:
            return


def expected(lines: list[Line]) -> Sums:
    """By the acquirer's own books: a purchase is paid once, however often it was told of."""
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        told[line.transaction_id].append(line.message)
    paid = [
        each[0]
        for each in told.values()
        if each[0]["paymentType"] == "PURS" and any(message["paymentStatus"] == "Success" for message in each)
    ]
    return Sums(len(lines), len(told), len(paid), sum(_minor(message) for message in paid))


def _minor(message: dict[str, Any]) -> int:
    whole, _, fraction = str(message["amount"]["value"]).partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


def seen(channel: grpc.Channel, metadata: Any) -> Sums:
    """What gRPC answers."""
    found = list(transactions(channel, metadata))
    paid = [each for each in found if each.booking == pb.ACQUIRER_BOOKING_PAID]
    reading = Reading(channel, metadata)
    return Sums(len(reading.notifications()), len(found), len(paid), sum(each.amount.minor_amount for each in paid))


def compare(lines: list[Line], channel: grpc.Channel, metadata: Any) -> Sums:
    """Holds that nothing acknowledged is lost and nothing was applied twice."""
    reading = Reading(channel, metadata)
    kept = {each.partner_notification_id: each for each in reading.notifications()}
    ids = {line.message["notificationID"]: line for line in lines}
    assert kept.keys() == ids.keys(), "what was acknowledged is what is kept, each once"
    assert len(reading.notifications()) == len(kept)
    for notification_id, line in ids.items():
        assert kept[notification_id].delivery_count >= line.acknowledged
    wanted = Counter(line.transaction_id for line in lines)
    states: dict[str, set[str]] = {line.transaction_id: set() for line in lines}
    for line in lines:
        states[line.transaction_id].add(line.message["paymentStatus"])
    for each in transactions(channel, metadata):
        assert each.report_count == wanted[each.transaction_id]
        final = [word for word in FINAL if word in states[each.transaction_id]]
        assert each.state_text == (final or ["Pending"])[0]
        assert not each.contested
    events = reading.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    booked = [
        event.resource
        for event in events
        if event.details.get("booking") == "PAID" and event.details.get("state_before") != "SUCCESS"
    ]
    assert len(booked) == len(set(booked)), "no payment was booked twice"
    sums = seen(channel, metadata)
    assert sums == expected(lines)
    assert len(booked) == sums.paid
    return sums
