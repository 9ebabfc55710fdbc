"""What is ordered in a campaign, and what the partner does with it: all of it decided by a seed."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.faults.payments.payer import USUAL, amount
from tests.faults.payments.till import (
    BROKEN_CHARGED,
    DECLINED,
    PARTIAL,
    PENDING_CHARGED,
    PENDING_DECLINED,
    UNCLEAR,
    UNCLEAR_CHARGED,
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
# Without a fault: the outcomes that a stored payment method spells, or the amount of what follows, which knows no
# partial approval.
OUTCOMES = (DECLINED, PARTIAL, UNCLEAR_CHARGED, UNCLEAR, BROKEN_CHARGED, PENDING_CHARGED, PENDING_DECLINED)
FOLLOWING_OUTCOMES = tuple(outcome for outcome in OUTCOMES if outcome != PARTIAL)
# Those by which surely nothing is charged.
DECLINING = frozenset({spelled(DECLINED), spelled(UNCLEAR), spelled(PENDING_DECLINED)})
# So many of the silent ones are in the smallest campaign as well.
ALWAYS = 4
# The twin's webhooks: of each ten so many come in each way.
WAYS: tuple[dict[str, Any], ...] = (
    *({"mode": "immediate"},) * 3,
    {"mode": "late", "seconds": 60},
    {"mode": "late", "seconds": 240},
    {"mode": "duplicate", "copies": 3},
    {"mode": "out-of-order", "seconds": 120},
    {"mode": "before-answer"},
    *({"mode": "lost"},) * 2,
)
# What is wrong with the answers to calls about subscriptions, by their turn. Between two there is one that is right.
LOOKS: tuple[tuple[int, dict[str, Any]], ...] = (
    (1, {"endpoint": "subscription-list", "fault": "truncated"}),
    (3, {"endpoint": "subscription-list", "fault": "cut-json"}),
    (5, {"endpoint": "subscription-list", "fault": "status", "status": 502}),
    (7, {"endpoint": "subscription-list", "fault": "html"}),
    (1, {"endpoint": "subscription-change", "fault": "reset"}),
    (3, {"endpoint": "subscription-change", "fault": "status", "charged": False}),
)
# Far below any order's amount, so that several fit; a refund's or capture's amount says whose it is.
PART = 200_000


@dataclass(frozen=True)
class Asking:
    """A `capture`, `void` or `refund` that somebody asks for, `callers` of them with one `request_id`. Without an
    amount it is about everything that is left."""

    kind: str
    amount: int = 0
    callers: int = 1
    fault: dict[str, Any] | None = None


# What is asked for at the same time; the next step waits until it has come to its end.
Step = tuple[Asking, ...]


@dataclass(frozen=True)
class Order:
    """`authorized`: it is captured or voided later. `steps` follow where the first operation is done."""

    number: int
    method: str
    fault: dict[str, Any] | None
    # Callers at the same time: with one `request_id`, and with `request_id`s of their own.
    racers: int
    rivals: int
    authorized: bool = False
    steps: tuple[Step, ...] = field(default=())
    # The payer pays on a page of the partner's, and makes a declined try first; or subscribes, and cancels at last.
    paged: bool = False
    subscribed: bool = False
    wavering: bool = False

    @property
    def amount(self) -> int:
        return amount(self.number)

    @property
    def endpoint(self) -> str:
        """The twin's, which the first operation is sent to."""
        if self.paged:
            return "hosted-link"
        if self.subscribed:
            return "subscription-create"
        return "authorization" if self.authorized else "payment"


def orders(seed: int, count: int) -> list[Order]:
    """A quarter has a faulty answer, each kind of fault as often as any other; a fifth of the rest are no approvals.
    Two fifths are authorized first, and most are followed by something, of which a quarter has a faulty answer."""
    chance = Random(f"orders/{seed}")
    faulty = set(chance.sample(range(1, count + 1), count // 4))
    rest = _dealt(chance, [*SILENT[ALWAYS:], *NAMED[1:], *HARMLESS], max(0, len(faulty) - ALWAYS - 1))
    faults = [NAMED[0], *SILENT[:ALWAYS], *rest][: len(faulty)]
    chance.shuffle(faults)
    outcomes = _dealt(chance, list(OUTCOMES), count)
    following = Following(chance, count)
    made = []
    for number in range(1, count + 1):
        racers = 5 if number % 5 == 1 else 1
        rivals = 5 if number % 7 == 2 else 0
        method, fault = USUAL, None
        if number in faulty:
            fault = faults.pop()
        elif chance.random() < 0.2:
            method = spelled(outcomes.pop())
        # The id of an order that is surely not charged may be used again, and a rival would.
        rivals = 0 if method in DECLINING else rivals
        authorized = number % 5 in (0, 3)
        paged, subscribed, wavering = number % 10 == 7, number % 10 == 4, number % 20 > 10
        if paged:
            # Nobody pays with a token there, and no transaction is named by a link that is wrong.
            method = USUAL
            fault = SILENT[number // 10 % len(SILENT)] if fault is not None else None
        order = Order(number, method, fault, racers, rivals, authorized, (), paged, subscribed, wavering)
        made.append(replace(order, steps=following.steps(order)))
    return made


class Following:
    """Deals out what follows: each way of it in turn, so that the smallest campaign has some of each."""

    def __init__(self, chance: Random, count: int) -> None:
        self._chance = chance
        self._closings = _dealt(chance, ["capture", "part", "void", "race"], count)
        self._refunds = _dealt(chance, ["one", "two", "race", "all", "spelled", "none"], count)
        self._faults = _dealt(chance, [*SILENT, *NAMED, *HARMLESS], 3 * count)
        self._outcomes = _dealt(chance, list(FOLLOWING_OUTCOMES), count)

    def steps(self, order: Order) -> tuple[Step, ...]:
        closing = (self._closing(order),) if order.authorized else ()
        return (*closing, *self._paid_back(order))

    def _closing(self, order: Order) -> Step:
        part = order.amount // 2 + 1 + order.number
        match self._closings.pop():
            case "capture":
                return (self._asked("capture", order.amount),)
            case "part":
                return (self._asked("capture", part),)
            case "void":
                return (self._asked("void"),)
            case _:
                return (self._asked("capture", part), self._asked("void"))

    def _paid_back(self, order: Order) -> tuple[Step, ...]:
        first, second = PART + 10 * order.number, PART + 10 * order.number + 1
        # Two that together are more than there is, even of what was captured in part.
        half = order.amount // 2 - 4 * order.number
        match self._refunds.pop():
            case "one":
                return ((self._asked("refund", first),),)
            case "two":
                return ((self._asked("refund", first),), (self._asked("refund", second),))
            case "race":
                more = order.amount - first
                return (
                    (self._asked("refund", half), self._asked("refund", more)),
                    (self._asked("refund", second),),
                )
            case "all":
                return ((self._asked("refund", first),), (Asking("refund", callers=self._callers()),))
            case "spelled":
                return ((Asking("refund", self._outcomes.pop(), self._callers()),), (self._asked("refund", second),))
            case _:
                return ()

    def _asked(self, kind: str, minor: int = 0) -> Asking:
        fault = self._faults.pop() if self._chance.random() < 0.3 else None
        return Asking(kind, minor, self._callers(), fault)

    def _callers(self) -> int:
        return 5 if self._chance.random() < 0.2 else 1


def script(seed: int, ordered: list[Order]) -> dict[str, Any]:
    """The twin's script: each fault strikes its first call only, so that a second one would be done."""
    faults = [
        {"endpoint": order.endpoint, "amount": str(order.amount), "times": 1, **order.fault}
        for order in ordered
        if order.fault is not None
    ]
    faults += [{**fault, "nth": turn} for turn, fault in LOOKS]
    for order in ordered:
        for asking in (asking for step in order.steps for asking in step):
            if asking.fault is not None and asking.amount:
                faults.append({"endpoint": asking.kind, "amount": str(asking.amount), "times": 1, **asking.fault})
    # A void tells no amount: those that have a fault are told by their turn.
    voids = [asking for order in ordered for step in order.steps for asking in step if asking.kind == "void"]
    for turn, asking in enumerate(voids, 1):
        if asking.fault is not None:
            faults.append({"endpoint": "void", "nth": turn, "times": 1, **asking.fault})
    return {"seed": seed, "faults": faults}


def ways(seed: int, count: int) -> dict[str, Any]:
    """How so many webhooks come, one after the other, and at once when these are used up."""
    dealt = _dealt(Random(f"webhooks/{seed}"), list(WAYS), count)
    return {"rules": [{**way, "times": 1} for way in dealt]}


def _dealt(chance: Random, cards: list[Any], count: int) -> list[Any]:
    """So many of them, in any order; none a second time before all were dealt once."""
    dealt: list[Any] = []
    while len(dealt) < count:
        dealt += chance.sample(cards, min(len(cards), count - len(dealt)))
    return dealt
