"""What is ordered in a campaign, and what the partner does with it: all of it decided by a seed."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.faults.payments.till import (
    BROKEN_CHARGED,
    DECLINED,
    PARTIAL,
    PENDING_CHARGED,
    PENDING_DECLINED,
    UNCLEAR,
    UNCLEAR_CHARGED,
    USUAL,
    amount,
    spelled,
)

CANARY = "4000056655665556"

# Faults whose answer says nothing that counts: nobody can know what happened.
SILENT: tuple[dict[str, Any], ...] = (
    {"fault": "reset"},
    {"fault": "hang"},
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 500, "charged": False},
    {"fault": "hang", "charged": False},
    {"fault": "truncated"},
    {"fault": "html"},
    {"fault": "redirect"},
    {"fault": "cut-json"},
    {"fault": "reset", "charged": False},
    {"fault": "drip-body"},
    {"fault": "status", "status": 502, "empty": True},
    {"fault": "close"},
    {"fault": "close", "charged": False},
    {"fault": "drip-headers", "charged": False},
    {"fault": "empty"},
    {"fault": "missing-blocks"},
    {"fault": "status", "status": 503, "charged": False},
    {"fault": "status", "status": 504},
    {"fault": "huge", "bytes": 64 * 1024 * 1024},
    {"fault": "redirect", "status": 302, "charged": False},
    {"fault": "duplicate-keys"},
    {"fault": "invalid-utf8"},
)
# Faults whose answer does not count either, but names the transaction: the partner can be asked for it.
NAMED: tuple[dict[str, Any], ...] = (
    {"fault": "wrong-amount"},
    {"fault": "wrong-currency"},
    {"fault": "wrong-reference"},
    {"fault": "wrong-mid"},
    {"fault": "wrong-type"},
    {"fault": "wrong-live"},
    {"fault": "wrong-method"},
    {"fault": "redirect-url"},
    {"fault": "unknown-code"},
)
# The answer is right; what is in it must not be kept.
HARMLESS: tuple[dict[str, Any], ...] = ({"fault": "card-number", "number": CANARY},)
# Without a fault: the outcome that the stored payment method spells, what it comes to, and whether only asking for the
# transaction tells.
OUTCOMES = {
    DECLINED: "DECLINED",
    PARTIAL: "PARTIALLY_APPROVED",
    UNCLEAR_CHARGED: "CAPTURED",
    UNCLEAR: "DECLINED",
    BROKEN_CHARGED: "IN_DOUBT",
    PENDING_CHARGED: "CAPTURED",
    PENDING_DECLINED: "DECLINED",
}


# So many of the silent ones are in the smallest campaign as well.
ALWAYS = 4


@dataclass(frozen=True)
class Order:
    """`expected`: the state in which it ends where nobody was killed over it."""

    number: int
    method: str
    expected: str
    fault: dict[str, Any] | None
    # Callers at the same time: with one `request_id`, and with `request_id`s of their own.
    racers: int
    rivals: int

    @property
    def amount(self) -> int:
        return amount(self.number)


def orders(seed: int, count: int) -> list[Order]:
    """A quarter has a faulty answer, each kind of fault as often as any other; a fifth of the rest are no approvals."""
    chance = Random(f"orders/{seed}")
    faulty = set(chance.sample(range(1, count + 1), count // 4))
    rest = _dealt(chance, [*SILENT[ALWAYS:], *NAMED[1:], *HARMLESS], max(0, len(faulty) - ALWAYS - 1))
    faults = [NAMED[0], *SILENT[:ALWAYS], *rest][: len(faulty)]
    chance.shuffle(faults)
    outcomes = _dealt(chance, list(OUTCOMES), count)
    made = []
    for number in range(1, count + 1):
        racers = 5 if number % 5 == 1 else 1
        rivals = 5 if number % 7 == 2 else 0
        if number in faulty:
            fault = faults.pop()
            expected = "IN_DOUBT" if fault in SILENT else "CAPTURED"
            made.append(Order(number, USUAL, expected, fault, racers, rivals))
        elif chance.random() < 0.2:
            outcome = outcomes.pop()
            made.append(Order(number, spelled(outcome), OUTCOMES[outcome], None, racers, rivals))
        else:
            made.append(Order(number, USUAL, "CAPTURED", None, racers, rivals))
    # The id of an order that is surely not charged may be used again, and a rival would.
    return [replace(order, rivals=0) if order.expected == "DECLINED" else order for order in made]


def script(seed: int, ordered: list[Order]) -> dict[str, Any]:
    """The twin's script: each fault strikes its order's first call only, so that a second one would be charged."""
    faults = [
        {"endpoint": "payment", "amount": str(order.amount), "times": 1, **order.fault}
        for order in ordered
        if order.fault is not None
    ]
    return {"seed": seed, "faults": faults}


def _dealt(chance: Random, cards: list[Any], count: int) -> list[Any]:
    """So many of them, in any order; none a second time before all were dealt once."""
    dealt: list[Any] = []
    while len(dealt) < count:
        dealt += chance.sample(cards, min(len(cards), count - len(dealt)))
    return dealt
