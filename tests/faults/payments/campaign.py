"""Payments through a core, a gateway, a dispatcher and the twin, all of which fail; then the books are compared."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Any

from tests.faults.core_process import SERVER
from tests.faults.payments.books import Books
from tests.faults.payments.customers import Customer, wait
from tests.faults.payments.figures import Figures
from tests.faults.payments.orders import Order, orders, script, ways
from tests.faults.payments.till import Till
from tests.waiting import eventually

SEED_VARIABLE = "FAULTS_SEED"
CALLERS = 12
# A claim that nobody carries out costs a lease; so does a grant, and what is asked for again 10 s, a minute and, where
# the list of subscriptions could not be read twice, ten minutes.
SETTLING_S = 240.0
# So long the books may disagree before the cores' clock is moved over the next of those waits; not too often, or what
# is unsent would expire.
IMPATIENCE_S, LEAPS_S = 1.5, (11, 61, 61, 61, 601)
ROLES = ("core", "dispatcher", "twin", "gateway")


def seed(default: int | None = None) -> int:
    """The seed of this run: the one in the environment, which replays a run that failed, else `default`, else any."""
    given = os.environ.get(SEED_VARIABLE)
    if given:
        return int(given)
    return SystemRandom().randrange(1_000_000) if default is None else default


@dataclass(frozen=True)
class Plan:
    """How much of everything. `kills` are shared out among the roles in turn; `seconds`: the time in which all orders
    are placed; what follows takes longer, and kills come then as well. A customer waits for `patience` until what it
    asked for is done."""

    seed: int
    payments: int
    kills: int
    seconds: float
    killed: tuple[str, ...] = ROLES
    core: Sequence[str] = SERVER
    settling: float = SETTLING_S
    patience: float = 12.0


@dataclass
class Campaign:
    """A plan on a till that has been started."""

    till: Till
    plan: Plan
    ordered: list[Order] = field(init=False)

    def __post_init__(self) -> None:
        self.ordered = orders(self.plan.seed, self.plan.payments)

    def run(self) -> Figures:
        """Carries the plan out, and compares the books. Raises MoneyWrong."""
        plan, began = self.plan, time.monotonic()
        self._brief_twin()
        chance = Random(f"kills/{plan.seed}")
        moments = sorted(chance.uniform(0.1, 1.5) * plan.seconds for _ in range(plan.kills))
        roles = [plan.killed[number % len(plan.killed)] for number in range(plan.kills)]
        chance.shuffle(roles)
        shuffled = Random(f"sequence/{plan.seed}").sample(self.ordered, len(self.ordered))
        with ThreadPoolExecutor(CALLERS) as pool:
            customers = [pool.submit(self._serve, order) for order in shuffled]
            for moment, role in zip(moments, roles, strict=True):
                wait(began + moment - time.monotonic())
                self._kill(role)
            served = [each.result() for each in customers]
        cancelled = {each.payment for each in served if each.cancelled}
        books = self._agreement({name for each in served for name in each.asked}, cancelled)
        refused = sum(each.refused for each in served)
        return Figures(plan.seed, books, Counter(roles), refused, time.monotonic() - began)

    def _serve(self, order: Order) -> Customer:
        plan = self.plan
        chance = Random(f"caller/{plan.seed}/{order.number}")
        wait(chance.uniform(0, plan.seconds * CALLERS / plan.payments))
        return Customer(self.till, order, chance, plan.patience).serve()

    def _agreement(self, asked: set[str], cancelled: set[str]) -> Books:
        """The books, once they agree. What comes after a while comes sooner: the cores' clock is moved on."""
        leaps, moment = list(LEAPS_S), time.monotonic()

        def agree() -> Any:
            nonlocal moment
            if time.monotonic() - moment > IMPATIENCE_S and leaps:
                self.till.move_clock(leaps.pop(0))
                moment = time.monotonic()
            return Books(self.till, len(self.ordered), asked, cancelled).read().check()

        books: Books = eventually(agree, self.plan.settling, f"the agreement of the books (seed {self.plan.seed})")
        return books

    def _brief_twin(self) -> None:
        """Which answers are faulty, and how webhooks come. The twin forgets it when it is killed."""
        self.till.partner.control("PUT", "/faults", script(self.plan.seed, self.ordered))
        if self.till.gateway is not None:
            self.till.partner.control("PUT", "/webhooks/rules", ways(self.plan.seed, 2 * len(self.ordered)))

    def _kill(self, role: str) -> None:
        """Kills it and starts it again at once. Whoever calls it meanwhile tries again."""
        if role == "core":
            self.till.kill_core(self.plan.core)
        elif role == "twin":
            self.till.kill_twin()
            self._brief_twin()
        else:
            killed = self.till.dispatchers[0] if role == "dispatcher" else self.till.gateway
            assert killed is not None
            killed.kill()
            killed.start()


def run(till: Till, plan: Plan) -> Figures:
    return Campaign(till, plan).run()
