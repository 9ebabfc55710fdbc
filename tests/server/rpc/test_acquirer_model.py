"""Any interleaving of the acquirer's notifications, duplicated, out of order, with ids used twice and through two
configs of one account, against a model of what must come of it; on each database."""

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.rpc.acquiring import Merchant, booking_of, open_merchant, outcome_of, said, state_of
from tests.server.rpc.running import RunningCore, request_id

STATES = ("Success", "Pending", "Declined", "Timeout")
TYPES = ("PURS", "RFND")
NAMES = {"Success": "SUCCESS", "Pending": "PENDING", "Declined": "DECLINED", "Timeout": "TIMEOUT"}


@dataclass(frozen=True)
class Telling:
    """One notification: which transaction, which of few ids, and what it says."""

    transaction: int
    notification: int
    state: str
    minute: int
    kind: str


@dataclass
class Model:
    """What must come of what was delivered."""

    first: dict[int, Telling] = field(default_factory=dict)
    contents: set[Telling] = field(default_factory=set)
    reused: set[int] = field(default_factory=set)

    def deliver(self, telling: Telling) -> None:
        if telling in self.contents:
            return
        self.contents.add(telling)
        if telling.notification in self.first:
            self.reused.add(telling.transaction)
        else:
            self.first[telling.notification] = telling

    def believed(self, transaction: int) -> list[Telling]:
        return [each for each in self.first.values() if each.transaction == transaction]

    def state(self, transaction: int) -> str:
        told = sorted(self.believed(transaction), key=lambda each: each.minute)
        for states in (("Success",), ("Declined", "Timeout"), ("Pending",)):
            of = [each for each in told if each.state in states]
            if of:
                return NAMES[of[-1].state]
        return "PENDING"

    def booking(self, transaction: int) -> str:
        kinds = {each.kind for each in self.believed(transaction) if each.state == "Success"}
        if not kinds:
            return "UNSPECIFIED"
        return "PAID" if "PURS" in kinds else "OTHER"

    def contested(self, transaction: int) -> bool:
        told = self.believed(transaction)
        succeeded = [each for each in told if each.state == "Success"]
        failed = [each.minute for each in told if each.state in ("Declined", "Timeout")]
        # Of two successes of different types the payment counts as the one.
        rank = "PURS" if any(each.kind == "PURS" for each in succeeded) else "RFND"
        latest = max((each.minute for each in succeeded if each.kind == rank), default=None)
        at_odds = latest is not None and bool(failed) and max(failed) >= latest
        return transaction in self.reused or at_odds or len({each.kind for each in succeeded}) > 1


TELLINGS = st.builds(
    Telling,
    st.integers(0, 1),
    st.integers(0, 4),
    st.sampled_from(STATES),
    st.integers(0, 5),
    st.sampled_from(TYPES),
)


def minute_is_its_own(tellings: list[Telling]) -> list[Telling]:
    """With a minute for each content, so that no two have the same."""
    places = {telling: place for place, telling in enumerate(dict.fromkeys(tellings))}
    return [
        Telling(each.transaction, each.notification, each.state, each.minute * 9 + places[each], each.kind)
        for each in tellings
    ]


def message(telling: Telling, run: str) -> dict[str, Any]:
    return said(
        transactionID=f"{run}-{telling.transaction}",
        notificationID=f"{run}-n{telling.notification}",
        paymentStatus=telling.state,
        paymentType=telling.kind,
        transactionDateTime=f"2026-03-12T10:{telling.minute:02}:00Z",
    )


@settings(max_examples=12)
@given(st.lists(st.tuples(TELLINGS, st.integers(0, 1)), min_size=1, max_size=9))
def run_model(moving: RunningCore, merchants: tuple[Merchant, Merchant], plan: list[tuple[Telling, int]]) -> None:
    run, model = request_id(), Model()
    tellings = minute_is_its_own([telling for telling, _ in plan])
    answers: dict[str, str] = {}
    cursor = moving.admin.head()
    for telling, (_, through) in zip(tellings, plan, strict=True):
        body = message(telling, run)
        answer = merchants[through].send(body)
        assert (outcome_of(answer), answer.notification_id) == ("ACKNOWLEDGED", body["notificationID"])
        text = json.dumps(body, sort_keys=True)
        assert answers.setdefault(text, answer.notification) == answer.notification
        model.deliver(telling)
    assert len(set(answers.values())) == len(model.contents)
    events = moving.admin.events_after(cursor, merchant_gateway_id=merchants[0].gateway)
    for transaction in {telling.transaction for telling in tellings}:
        found = merchants[0].get(f"{run}-{transaction}")
        assert (state_of(found), booking_of(found), found.contested) == (
            model.state(transaction),
            model.booking(transaction),
            model.contested(transaction),
        )
        assert found.report_count == len([each for each in model.contents if each.transaction == transaction])
        paid = [
            event.acquirer_transaction.booking
            for event in events
            if event.resource == found.name and event.details.get("booking") == "PAID"
        ]
        assert bool(paid) == (model.booking(transaction) == "PAID")
    kept = {each.name: each.delivery_count for each in merchants[0].kept() if each.name in answers.values()}
    assert sum(kept.values()) == len(plan)


def test_whatever_comes_in_whatever_order_is_applied_once(moving: RunningCore) -> None:
    first = open_merchant(moving)
    merchants = (first, open_merchant(moving, like=first))
    run_model(moving, merchants)
