"""Payments through a core, a dispatcher and the twin, all of which fail; then the books are compared."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random, SystemRandom

import grpc

from tests.faults.core_process import SERVER
from tests.faults.payments.books import Books, Figures
from tests.faults.payments.orders import Order, orders, script
from tests.faults.payments.till import Till
from tests.waiting import eventually

SEED_VARIABLE = "FAULTS_SEED"
CALLERS = 12
# A claim that nobody carries out costs a lease; so does a grant, and what is asked for again 10 s and a minute.
SETTLING_S = 240.0


def seed(default: int | None = None) -> int:
    """The seed of this run: the one in the environment, which replays a run that failed, else `default`, else any."""
    given = os.environ.get(SEED_VARIABLE)
    if given:
        return int(given)
    return SystemRandom().randrange(1_000_000) if default is None else default


@dataclass(frozen=True)
class Plan:
    """How much of everything. `kills` are shared out among the core and the dispatcher; `seconds`: the time in which
    all orders are placed."""

    seed: int
    payments: int
    kills: int
    seconds: float
    killed: tuple[str, ...] = ("core", "dispatcher")
    core: Sequence[str] = SERVER
    settling: float = SETTLING_S


def run(till: Till, plan: Plan) -> Figures:
    """Carries the plan out on a till that has been started, and compares the books. Raises MoneyWrong."""
    began = time.monotonic()
    ordered = orders(plan.seed, plan.payments)
    till.control("PUT", "/faults", script(plan.seed, ordered))
    chance = Random(f"kills/{plan.seed}")
    moments = sorted(chance.uniform(0, plan.seconds) for _ in range(plan.kills))
    roles = [plan.killed[number % len(plan.killed)] for number in range(plan.kills)]
    chance.shuffle(roles)
    with ThreadPoolExecutor(CALLERS) as callers:
        names = [callers.submit(_pay, till, plan, order) for order in _shuffled(ordered, plan.seed)]
        for moment, role in zip(moments, roles, strict=True):
            _wait(began + moment - time.monotonic())
            _kill(till, role, plan)
        for each in names:
            each.result()
    books = Books(till, ordered)
    eventually(books.agree, plan.settling, f"the agreement of the books (seed {plan.seed})")
    return books.figures(plan.seed, plan.kills, time.monotonic() - began)


def _kill(till: Till, role: str, plan: Plan) -> None:
    """Kills it and starts it again at once. Whoever calls the core meanwhile tries again."""
    if role == "dispatcher":
        till.dispatchers[0].kill()
        till.dispatchers[0].start()
    else:
        till.kill_core(plan.core)


def _pay(till: Till, plan: Plan, order: Order) -> str:
    """One customer's payment: called for by several at a time, and asked for again after random delays."""
    chance = Random(f"caller/{plan.seed}/{order.number}")
    _wait(chance.uniform(0, plan.seconds * CALLERS / plan.payments))
    with ThreadPoolExecutor(order.racers + order.rivals) as pool:
        calls = [pool.submit(_repeat, till, order, 0, chance.random()) for _ in range(order.racers)]
        rivals = [pool.submit(_rival, till, order, number) for number in range(1, order.rivals + 1)]
        found = {each.result() for each in (*calls, *rivals)}
    found.discard("")
    assert len(found) == 1, f"order {order.number} became {found} (seed {plan.seed})"
    return found.pop()


def _repeat(till: Till, order: Order, attempt: int, pause: float) -> str:
    """The name of the payment, which every repetition has to give."""
    try:
        names = set()
        for _ in range(2):
            names.add(till.create(till.order(order.number, order.method, attempt)).name)
            _wait(pause)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.ALREADY_EXISTS:
            return ""
        raise
    assert len(names) == 1, f"one request_id gave {names}"
    return names.pop()


def _rival(till: Till, order: Order, number: int) -> str:
    """The same order with a `request_id` of its own: refused, or the one that is carried out."""
    return _repeat(till, order, number, 0)


def _shuffled(ordered: list[Order], seeded: int) -> list[Order]:
    return Random(f"sequence/{seeded}").sample(ordered, len(ordered))


def _wait(seconds: float) -> None:
    moment = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= moment, max(seconds, 0) + 60)
