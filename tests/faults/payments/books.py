"""The twin's fsynced ledger against what we say of each operation: purchases, pages, creations of subscriptions,
captures, voids and refunds.

In doubt have to be exactly:

- the operations whose answer was *ambiguous*, by the twin's own record of the answer that it gave, unless that answer
  named a transaction, so that asking for it has settled the operation;
- the operations whose answer is *lost*: an attempt was granted, and no answer with a body was ever reported for it.
  Each such attempt must have been open (granted, and nothing reported) when a dispatcher or the twin was killed; or,
  where nothing of it has reached the twin, when the core was killed with the grant; or the dispatcher must have
  reported that its own time for the call ran out;

of both without those whose transaction a webhook has named: asking for that has settled them; and without the creations
that the twin has heard of: its list has settled them.

A page waits for the payer for as long as no webhook has told that it was paid.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mintmark.v1 import payments_pb2 as pb

from tests.faults.payments.orders import NAMED
from tests.faults.payments.partner import FOLLOWING, Key, key_of_operation
from tests.faults.payments.till import Till

State = pb.PaymentState
NOTHING_DONE = frozenset({"PENDING", "DECLINED", "CANCELLED", "EXPIRED_UNSENT", "NOT_CHARGED"})
DONE = frozenset({"SUCCEEDED", "PARTIALLY_APPROVED"})
UNRESOLVED = frozenset({"PENDING", "SENDING", "PROCESSING", "REQUIRES_ACTION", "IN_DOUBT"})
UNDER_WAY = frozenset({"PENDING", "SENDING", "PROCESSING"})
TELLING = frozenset(each["fault"] for each in NAMED)
# How the twin's ledger calls what we call so.
OUTCOMES = {"APPROVED": "SUCCEEDED", "PARTIALLY_APPROVED": "PARTIALLY_APPROVED", "DECLINED": "DECLINED"}
# What the partner answers to what is still open.
PENDING_CODE = 578
# Grants are timed by the database, kills by us.
CLOCK_S = 0.5
ANSWER, ATTEMPT = pb.EVIDENCE_KIND_ANSWER, pb.EVIDENCE_KIND_ATTEMPT


class MoneyWrong(Exception):
    """Money and what we say of it differ in a way that no waiting makes good."""


def settled(payment: pb.Payment) -> bool:
    """Whether nothing of it is under way."""
    return not any(operation_state(operation) in UNDER_WAY for operation in payment.operations)


def in_doubt(payment: pb.Payment) -> bool:
    return any(operation_state(operation) == "IN_DOUBT" for operation in payment.operations)


def state(payment: pb.Payment) -> str:
    return State.Name(payment.state).removeprefix("PAYMENT_STATE_")


def operation_state(operation: pb.PaymentOperation) -> str:
    return state_name(operation.state)


def state_name(value: "pb.PaymentOperationState.ValueType") -> str:
    return pb.PaymentOperationState.Name(value).removeprefix("PAYMENT_OPERATION_STATE_")


def wrong(till: Till) -> list[str]:
    """Every way in which money and what we say of it differ. This needs no knowledge of what was meant to happen.

    Money may be moved meanwhile: what we say is compared with what was done before, or after, we said it.
    """
    before = _moved(till)
    payments = till.payments()
    after = _moved(till)
    ours = {key_of_operation(each, operation): operation for each in payments for operation in each.operations}
    found = [f"done and unknown to us: {key}" for key in before.keys() - ours.keys()]
    found += [f"done {len(amounts)} times: {key}" for key, amounts in after.items() if len(amounts) > 1]
    made = till.partner.subscriptions()
    found += [f"created {len(states)} times: {reference}" for reference, states in made.items() if len(states) > 1]
    found += [f"sent {len(sent)} times: {key}" for key, sent in till.partner.asked().items() if len(sent) > 1]
    for key, operation in ours.items():
        called = operation_state(operation)
        if called in NOTHING_DONE and key in before:
            found.append(f"called {called} and done: {key}")
        said = operation.confirmed_amount.minor_amount
        if called in DONE and said not in after[key]:
            found.append(f"called {called} ({said}) and not done so: {key}")
        if operation.kind == pb.PAYMENT_OPERATION_KIND_EXTERNAL:
            found.append(f"nobody has asked for {operation.name}")
    return found + [line for payment in payments for line in _too_much(payment)]


def _too_much(payment: pb.Payment) -> list[str]:
    """More given back, counting what may have been, than was taken; or more taken than was authorized."""
    back = sum(_may_be(each) for each in payment.operations if each.kind == pb.PAYMENT_OPERATION_KIND_REFUND)
    taken, authorized = payment.captured_amount.minor_amount, payment.authorized_amount.minor_amount
    found = [f"{back} of {taken} may have been given back: {payment.name}"] if back > taken else []
    closing = (pb.PAYMENT_OPERATION_KIND_CAPTURE, pb.PAYMENT_OPERATION_KIND_VOID)
    closed = [each for each in payment.operations if each.kind in closing and _may_be(each)]
    if taken > authorized or len(closed) > 1:
        found.append(f"closed more than once, or for more than it was: {payment.name}")
    return found


def _may_be(operation: pb.PaymentOperation) -> int:
    called = operation_state(operation)
    if called in NOTHING_DONE - {"PENDING"}:
        return 0
    return operation.confirmed_amount.minor_amount if called in DONE else operation.amount.minor_amount


def _moved(till: Till) -> defaultdict[Key, list[int]]:
    """The amounts that were moved, held or released, by what they were for."""
    moved: defaultdict[Key, list[int]] = defaultdict(list)
    for key, lines in till.partner.lines().items():
        amounts = [int(line["amount"]) for line in lines if line["moved"]]
        if amounts:
            moved[key] = amounts
    return moved


@dataclass
class Account:
    """One operation on both sides."""

    key: Key
    operation: pb.PaymentOperation
    evidence: list[pb.PaymentEvidence]
    requests: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    # Whether a webhook has told of what was done.
    told: bool

    @property
    def ambiguous(self) -> bool:
        """Whether the answer that the twin gave says nothing that counts, and no transaction to ask for."""
        return any(each["answer"] != "clean" and not _tells(each) for each in self.requests)

    @property
    def silent(self) -> bool:
        """Whether an attempt was granted and nothing was ever answered to it, as far as we know."""
        granted = any(each.kind == ATTEMPT for each in self.evidence)
        return granted and not any(each.kind == ANSWER and each.redacted_body for each in self.evidence)

    @property
    def truth(self) -> str:
        """What has to become of it where it is not in doubt."""
        if self.operation.kind == pb.PAYMENT_OPERATION_KIND_HOSTED_PURCHASE and self.requests:
            paid = any(line["moved"] for line in self.lines)
            return "SUCCEEDED" if paid and self.told else "REQUIRES_ACTION"
        if self.lines:
            return OUTCOMES.get(self.lines[0]["outcome"], "still open")
        return "DECLINED" if self.requests and self.requests[0]["answer"] == "clean" else "unknown"

    def explained(self, deaths: list[tuple[float, float]], core_deaths: list[tuple[float, float]]) -> bool:
        """Whether somebody was killed over it, or something took too long."""
        granted = [each for each in self.evidence if each.kind == ATTEMPT][-1]
        answers = [each for each in self.evidence if each.kind == ANSWER and each.attempt == granted.attempt]
        moments = deaths if self.requests else [*deaths, *core_deaths]
        began = _seconds(granted)
        told = min((_seconds(each) for each in answers), default=float("inf"))
        killed = any(began <= end + CLOCK_S and told >= start - CLOCK_S for start, end in moments)
        return killed or self.ambiguous or any("time" in each.summary for each in answers)


@dataclass
class Books:
    """Both sides of a campaign as they are at one moment. `asked`: the names of the operations that were granted to
    somebody, but for the first of each payment."""

    till: Till
    orders: int
    asked: set[str]
    # The payments of subscriptions that somebody has cancelled.
    cancelled: set[str]
    payments: list[pb.Payment] = field(default_factory=list)
    webhooks: Counter[tuple[str, str, bool]] = field(default_factory=Counter)

    def read(self) -> "Books":
        """Raises MoneyWrong; AssertionError where not everything has come to its end."""
        self.payments = self.till.payments()
        assert len(self.payments) == self.orders, f"{self.orders} orders became {len(self.payments)} payments"
        assert all(settled(each) for each in self.payments), [each.name for each in self.payments if not settled(each)]
        if found := wrong(self.till):
            raise MoneyWrong("; ".join(found))
        self._read_webhooks()
        return self

    @cached_property
    def accounts(self) -> list[Account]:
        requests, lines = self.till.partner.asked(), self.till.partner.lines()
        named = {transaction for _, transaction, _ in self.webhooks}
        made = []
        for payment in self.payments:
            evidence = self.till.evidence(payment.name)
            _one_at_a_time(evidence)
            for operation in payment.operations:
                key = key_of_operation(payment, operation)
                own = [each for each in evidence if each.operation == operation.name]
                tries = operation.kind == pb.PAYMENT_OPERATION_KIND_HOSTED_PURCHASE
                done = [line for line in lines[key] if line["moved"] or not tries]
                told = any(line["transactionId"] in named for line in done)
                made.append(Account(key, operation, own, requests[key], lines[key], told))
        return made

    def check(self) -> "Books":
        """Raises AssertionError, of which waiting may make something good."""
        following = {each.operation.name for each in self.accounts if each.operation.kind in FOLLOWING}
        assert following == self.asked, f"asked for and not there, or the other way round: {following ^ self.asked}"
        for each in self.lost:
            explained = each.explained(self.till.deaths(), self.till.core_deaths)
            assert explained, f"nobody was killed over {each.key}: {[line.summary for line in each.evidence]}"
        causes = {each.operation.name for each in (*self.ambiguous, *self.lost)}
        expected = causes - {each.operation.name for each in (*self.told, *self.listed)}
        doubted = {each.operation.name for each in self.accounts if operation_state(each.operation) == "IN_DOUBT"}
        without, missing = sorted(doubted - expected), sorted(expected - doubted)
        stories = {
            each.operation.name: [line.summary for line in each.evidence]
            for each in self.accounts
            if each.operation.name in (*without, *missing)
        }
        assert not stories, f"in doubt without a cause: {without}, with one and not in doubt: {missing}; {stories}"
        for each in self.accounts:
            called = operation_state(each.operation)
            # A subscription may be cancelled before it was sent.
            unsent = called == "CANCELLED" and each.operation.name.rpartition("/operations/")[0] in self.cancelled
            known = called == "IN_DOUBT" or (unsent and not each.requests)
            assert known or called == each.truth, f"{each.key} is {called}, and in truth {each.truth}"
        states = self.till.partner.subscriptions()
        charging = [
            each.name
            for each in self.payments
            if each.name in self.cancelled and "ACTIVE" in states[each.operations[0].reference]
        ]
        assert not charging, f"cancelled, and still charging: {charging}"
        return self

    @property
    def ambiguous(self) -> list[Account]:
        return [each for each in self.accounts if each.ambiguous]

    @property
    def lost(self) -> list[Account]:
        return [each for each in self.accounts if each.silent]

    @property
    def told(self) -> list[Account]:
        """Those of which a webhook has told."""
        return [each for each in self.accounts if each.told]

    @property
    def listed(self) -> list[Account]:
        """The creations that the twin has tried to charge, and lists."""
        kind = pb.PAYMENT_OPERATION_KIND_SUBSCRIPTION
        return [each for each in self.accounts if each.operation.kind == kind and each.lines]

    def _read_webhooks(self) -> None:
        """What was acknowledged is recorded, once, and as often as it was delivered at least."""
        # Before ours are read: what comes meanwhile is no loss.
        acknowledged = Counter(
            (each["payment"], each["transactionId"], each["outcome"] == "PENDING")
            for each in self.till.partner.acknowledged()
        )
        self.webhooks, kept = Counter(), Counter[tuple[str, str, bool]]()
        for notification in self.till.webhooks():
            body = json.loads(notification.redacted_body)
            pending = body["payment_details"]["response_code"] == PENDING_CODE
            key = (notification.resource.removeprefix("payments/"), body["transaction_details"]["id"], pending)
            kept[key] += 1
            self.webhooks[key] += notification.delivery_count
        found = [f"recorded {count} times: {key}" for key, count in kept.items() if count > 1]
        found += [f"acknowledged and not recorded: {key}" for key in (acknowledged - self.webhooks)]
        if found:
            raise MoneyWrong("; ".join(found))


def _one_at_a_time(evidence: list[pb.PaymentEvidence]) -> None:
    """Nothing is asked for while something is unresolved. Raises MoneyWrong."""
    states: dict[str, str] = {}
    for line in evidence:
        open_ones = [name for name, called in states.items() if called in UNRESOLVED]
        if line.operation not in states and open_ones:
            raise MoneyWrong(f"{line.operation} was asked for while {open_ones} was unresolved")
        states[line.operation] = state_name(line.state_after)


def _tells(request: dict[str, Any]) -> bool:
    """Whether an ambiguous answer named the transaction."""
    fault = request["fault"].partition("#")[0]
    # Without a fault the outcome itself was ambiguous: the answer names its transaction, but for an HTTP error.
    return fault in TELLING or (not fault and request["status"] in (200, 201))


def _seconds(evidence: pb.PaymentEvidence) -> float:
    return evidence.time.seconds + evidence.time.nanos / 1e9
