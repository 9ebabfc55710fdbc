"""The twin's fsynced ledger of charges against what we say of each payment.

In doubt have to be exactly:

- the payments whose answer was *ambiguous*, by the twin's own record of the answer that it gave, unless that answer
  named a transaction, so that asking for it has settled the payment;
- the payments whose answer is *lost*: an attempt was granted, and no answer with a body was ever reported for it. Each
  such attempt must have been open (granted, and nothing reported) when a dispatcher was killed; or, where nothing of it
  has reached the twin, when the core was killed with the grant; or the dispatcher must have reported that its own time
  for the call ran out.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from mintmark.v1 import payments_pb2 as pb

from tests.faults.payments.orders import NAMED, Order
from tests.faults.payments.till import Till

State = pb.PaymentState
PAID = frozenset({"CAPTURED", "PARTIALLY_APPROVED"})
NOT_PAID = frozenset({"DECLINED", "CANCELLED", "EXPIRED", "NOT_CHARGED", "PENDING"})
UNDER_WAY = frozenset(
    {pb.PAYMENT_OPERATION_STATE_PENDING, pb.PAYMENT_OPERATION_STATE_SENDING, pb.PAYMENT_OPERATION_STATE_PROCESSING}
)
TELLING = frozenset(each["fault"] for each in NAMED)
# Grants are timed by the database, kills by us.
CLOCK_S = 0.5


class MoneyWrong(Exception):
    """Money and what we say of it differ in a way that no waiting makes good."""


@dataclass(frozen=True)
class Figures:
    """What a campaign comes to."""

    seed: int
    payments: int
    kills: int
    charges: int
    in_doubt: int
    ambiguous: int
    lost: int
    states: dict[str, int]
    faults: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.payments} payments, {self.faults} faulty answers, {self.kills} kills, "
            f"{self.charges} charges, 0 wrong; in doubt {self.in_doubt} = {self.ambiguous} ambiguous + {self.lost} "
            f"lost with a killed process; {self.states}; {self.seconds:.1f} s"
        )


def settled(payment: pb.Payment) -> bool:
    """Whether nothing of it is under way."""
    return not any(operation.state in UNDER_WAY for operation in payment.operations)


def state(payment: pb.Payment) -> str:
    return State.Name(payment.state).removeprefix("PAYMENT_STATE_")


def wrong(till: Till) -> list[str]:
    """Every way in which money and what we say of it differ. This needs no knowledge of what was meant to happen.

    Money may be moved meanwhile: what we say is compared with what was charged before, or after, we said it.
    """
    before = _moved(till)
    payments = till.payments()
    after = _moved(till)
    by_reference = {operation.reference: each for each in payments for operation in each.operations}
    sent = Counter(request["reference"] for request in till.requests())
    found = [f"charge unknown to us: {reference}" for reference in before.keys() - by_reference.keys()]
    found += [f"charged {len(lines)} times: {reference}" for reference, lines in after.items() if len(lines) > 1]
    found += [f"sent {count} times: {reference}" for reference, count in sent.items() if count > 1]
    for reference, payment in by_reference.items():
        if state(payment) in NOT_PAID and reference in before:
            found.append(f"called {state(payment)} and charged: {reference}")
        said = payment.captured_amount.minor_amount
        if state(payment) in PAID and said not in after[reference]:
            found.append(f"called {state(payment)} ({said}) and not charged so: {reference}")
    return found


def _moved(till: Till) -> defaultdict[str, list[int]]:
    """The amounts that were charged, by reference."""
    moved: defaultdict[str, list[int]] = defaultdict(list)
    for charge in till.moved():
        moved[charge["reference"]].append(int(charge["amount"]))
    return moved


@dataclass
class Books:
    """The two sides of a campaign, read again until everything has come to its end."""

    till: Till
    ordered: list[Order]
    payments: list[pb.Payment] = field(default_factory=list)
    ambiguous: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    def agree(self) -> bool:
        """Raises MoneyWrong, and AssertionError with what does not agree yet."""
        till = self.till
        if found := wrong(till):
            raise MoneyWrong("; ".join(found))
        self.payments = till.payments()
        assert all(settled(payment) for payment in self.payments)
        requests = till.requests()
        by_order = {each.merchant_payment_id: each for each in self.payments}
        assert len(by_order) == len(self.payments), "an order became two payments"
        assert set(by_order) == {f"order-{order.number}" for order in self.ordered}
        references = {each.operations[0].reference: each for each in self.payments}
        self.ambiguous = {
            references[request["reference"]].name
            for request in requests
            if request["answer"] != "clean" and not self._told_when_asked(request)
        }
        self.lost = self._lost({request["reference"] for request in requests})
        in_doubt = {each.name for each in self.payments if each.state == State.PAYMENT_STATE_IN_DOUBT}
        assert in_doubt == self.ambiguous | self.lost, (
            f"in doubt without a cause: {sorted(in_doubt - self.ambiguous - self.lost)}, "
            f"with one and not in doubt: {sorted((self.ambiguous | self.lost) - in_doubt)}"
        )
        for order in self.ordered:
            payment = by_order[f"order-{order.number}"]
            if payment.name not in self.lost:
                assert state(payment) == order.expected, f"{order} is {state(payment)}"
        return True

    def figures(self, seed: int, kills: int, seconds: float) -> Figures:
        return Figures(
            seed=seed,
            payments=len(self.payments),
            kills=kills,
            charges=len(self.till.moved()),
            in_doubt=len(self.ambiguous | self.lost),
            ambiguous=len(self.ambiguous),
            lost=len(self.lost - self.ambiguous),
            states=dict(Counter(state(each) for each in self.payments)),
            faults=sum(order.fault is not None for order in self.ordered),
            seconds=seconds,
        )

    def _told_when_asked(self, request: dict[str, Any]) -> bool:
        """Whether the ambiguous answer named the transaction."""
        fault = request["fault"].partition("#")[0]
        # Without a fault the outcome itself was ambiguous: the answer names its transaction, but for an HTTP error.
        return fault in TELLING or (not fault and request["status"] in (200, 201))

    def _lost(self, sent: set[str]) -> set[str]:
        found = set()
        for payment in self.payments:
            evidence = self.till.evidence(payment.name)
            granted = [each for each in evidence if each.kind == pb.EVIDENCE_KIND_ATTEMPT]
            answers = [each for each in evidence if each.kind == pb.EVIDENCE_KIND_ANSWER]
            if not granted or any(each.redacted_body for each in answers):
                continue
            found.add(payment.name)
            deaths = self.till.dispatcher_deaths()
            if payment.operations[0].reference not in sent:
                deaths = [*deaths, *self.till.core_deaths]
            began = _seconds(granted[-1])
            told = min((_seconds(each) for each in answers), default=float("inf"))
            killed = any(began <= end + CLOCK_S and told >= start - CLOCK_S for start, end in deaths)
            too_slow = any("time" in each.summary for each in answers)
            explained = killed or too_slow or payment.name in self.ambiguous
            assert explained, f"nobody was killed over {payment.name}: {[each.summary for each in evidence]}"
        return found


def _seconds(evidence: pb.PaymentEvidence) -> float:
    return evidence.time.seconds + evidence.time.nanos / 1e9
