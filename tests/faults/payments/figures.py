"""What a campaign comes to, in figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mintmark.v1 import payments_pb2 as pb

from tests.faults.payments.books import Account, Books, operation_state, state


@dataclass(frozen=True)
class Figures:
    """`kills` by role; `faults` as the twin made them; `refused` was asked for and refused, so that it counts as not
    asked for."""

    seed: int
    books: Books
    kills: Mapping[str, int]
    refused: int
    seconds: float

    def __str__(self) -> str:
        accounts = self.books.accounts
        kinds = Counter(
            pb.PaymentOperationKind.Name(each.operation.kind).removeprefix("PAYMENT_OPERATION_KIND_").lower()
            for each in accounts
        )
        done = Counter(line["kind"].lower() for each in accounts for line in each.lines if line["moved"])
        ambiguous, lost = names(self.books.ambiguous), names(self.books.lost)
        listed = names(self.books.listed) & (ambiguous | lost)
        doubt = {each.operation.name for each in accounts if operation_state(each.operation) == "IN_DOUBT"}
        told = (ambiguous | lost) - doubt
        faults = sum(bool(request["fault"]) for each in accounts for request in each.requests)
        kills = f"{sum(self.kills.values())} kills ({counts(self.kills)})"
        return (
            f"seed {self.seed}: {len(self.books.payments)} payments, {len(accounts)} operations ({counts(kinds)}), "
            f"{self.refused} refused, {faults} faulty answers; {kills}; "
            f"done by the partner: {counts(done)}; 0 wrong; in doubt {len(doubt)} = {len(ambiguous)} ambiguous + "
            f"{len(lost - ambiguous)} lost with a killed process - {len(told)} that a webhook has told of, or the list "
            f"of subscriptions ({len(listed)}); {len(self.books.cancelled)} subscriptions cancelled; "
            f"{len(self.books.webhooks)} webhooks recorded once, delivered {self.books.webhooks.total()} times; "
            f"{counts(Counter(map(state, self.books.payments)))}; {self.seconds:.1f} s"
        )


def names(accounts: Sequence[Account]) -> set[str]:
    return {each.operation.name for each in accounts}


def counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
