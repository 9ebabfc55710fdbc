"""A core that is wrong on purpose, which has to be noticed: `python -m tests.faults.payments.broken_core FAULT`."""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

# Between an answer and the commit that it should have waited for.
LATE_S = 1.0
# After so long somebody takes what is in doubt for failed.
PATIENCE_S = 1.0


def acknowledge_before_the_commit() -> None:
    from server.domain.refusals import Refusal
    from server.store.marking import Marking
    from server.store.writer import Unit, Writer

    run, check = Writer._run, Marking.check

    def early(self: Writer, unit: Unit, transaction: Any) -> Any:
        outcome = run(self, unit, transaction)
        if not isinstance(outcome, Refusal) and not unit.future.done():
            unit.future.set_result(outcome)
        return outcome

    def late(self: Marking, marked: Any, transaction: Any) -> None:
        check(self, marked, transaction)
        if transaction.changes:
            threading.Event().wait(LATE_S)

    def finish(self: Writer, units: Sequence[Unit], outcomes: Sequence[Any], events: Sequence[Any]) -> None:
        if events:
            self._committed(events)
        for unit, outcome in zip(units, outcomes, strict=True):
            if not unit.future.done():
                unit.future.set_exception(outcome)

    Writer._run, Writer._finish = early, finish  # type: ignore[method-assign]
    Marking.check = late  # type: ignore[method-assign]


def take_doubt_for_failure() -> None:
    from server.domain import payment_operations
    from server.domain.payment_operations import Change, Fact, OperationState
    from server.services import payment_times

    in_doubt, change = OperationState.IN_DOUBT, payment_operations.change
    payment_operations.TRANSITIONS[in_doubt][Fact.EXPIRE] = OperationState.NOT_CHARGED
    payment_times.TIMES_UP[in_doubt] = (Fact.EXPIRE, "nobody has heard of it for a while")

    def impatient(operation: Any, fact: Fact, now: int, *rest: Any, **named: Any) -> Change:
        made = change(operation, fact, now, *rest, **named)
        if made.after.state is in_doubt and made.after is not operation:
            soon = now + round(PATIENCE_S * 1_000_000)
            return replace(made, after=replace(made.after, attend_time=soon))
        return made

    payment_operations.change = impatient


def forget_refunds_in_doubt() -> None:
    """What may have been paid back is neither waited for nor counted."""
    from server.domain import payments
    from server.domain.payment_answers import OperationKind
    from server.domain.payment_operations import Operation, OperationState

    refundable = payments.refundable

    def careless(payment: Any, operations: Sequence[Operation], *rest: Any) -> Any:
        known = [
            each
            for each in operations
            if not (each.kind is OperationKind.REFUND and each.state is OperationState.IN_DOUBT)
        ]
        return refundable(payment, known, *rest)

    setattr(payments, "refundable", careless)  # noqa: B010  mypy knows its type


def grant_what_follows_unwritten() -> None:
    """A capture, void or refund is sent before it is committed that it is."""
    from server.domain import names
    from server.domain.payment_answers import FOLLOWING
    from server.domain.payment_operations import OperationState
    from server.services.payment_book import PaymentBook

    save = PaymentBook.save

    def unwritten(self: PaymentBook) -> Any:
        granted = [
            names.attempt(each.name, each.attempt_count)
            for each in self.operations
            if each.name in self._changed and each.kind in FOLLOWING and each.state is OperationState.SENDING
        ]
        if not granted:
            return save(self)
        self.transaction.ledger.attempts.delete(granted)
        return self.payment

    PaymentBook.save = unwritten  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "acknowledges": acknowledge_before_the_commit,
    "forgets": take_doubt_for_failure,
    "counts": forget_refunds_in_doubt,
    "grants": grant_what_follows_unwritten,
}


def main(fault: str) -> int:
    from server.__main__ import main as serve

    FAULTS[fault]()
    return serve([])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
