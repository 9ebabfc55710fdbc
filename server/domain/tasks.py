"""What we want partners to do, or gateways: tasks, leased to one dispatcher or gateway at a time."""

from dataclasses import dataclass, replace
from enum import StrEnum

MICROS = 1_000_000
# After each unsent attempt, at most: with full jitter between nothing and this.
BACKOFF_FIRST_S = 1
BACKOFF_LAST_S = 300
# When a transaction is asked for again; then every hour.
QUERY_DELAYS_S = (10, 60, 600, 3600)
# When a token is read again of which D1 will not tell; then every hour.
PROBLEM_DELAYS_S = (60, 600, 3600)
# Later than ever: nobody is asked until somebody wants it anew.
NEVER = 2**62
# How often a transaction is asked for that no open operation depends on.
IDLE_QUERIES = 5


class TaskKind(StrEnum):
    SUBMIT_PAYMENT_OPERATION = "SUBMIT_PAYMENT_OPERATION"
    QUERY_TRANSACTION = "QUERY_TRANSACTION"
    ATTEND_SUBSCRIPTION = "ATTEND_SUBSCRIPTION"
    APPLY_WEBHOOK_CONFIG = "APPLY_WEBHOOK_CONFIG"
    LIST_WEBHOOK_CONFIGS = "LIST_WEBHOOK_CONFIGS"
    QUERY_ACQUIRER_TRANSACTION = "QUERY_ACQUIRER_TRANSACTION"
    REFRESH_TOKEN = "REFRESH_TOKEN"
    FINGERPRINT_CARD = "FINGERPRINT_CARD"


OF_PAYMENTS = frozenset({TaskKind.SUBMIT_PAYMENT_OPERATION, TaskKind.QUERY_TRANSACTION, TaskKind.ATTEND_SUBSCRIPTION})
# Of these `resource` says what they are for.
OF_WEBHOOKS = frozenset({TaskKind.APPLY_WEBHOOK_CONFIG, TaskKind.LIST_WEBHOOK_CONFIGS})
# Gateways do these; dispatchers do all others.
OF_GATEWAYS = frozenset({TaskKind.FINGERPRINT_CARD})
OF_DISPATCHERS = frozenset(TaskKind) - OF_GATEWAYS


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do for an operation or for a resource. Times are microseconds on the database's clock; `fence` rises
    with each lease, `lease_begin_time` is when the last one began."""

    name: str
    kind: TaskKind
    account: str
    payment: str
    operation: str
    due_time: int
    create_time: int
    correlation_id: str = ""
    partner_transaction_id: str = ""
    tries: int = 0
    fence: int = 0
    holder: str = ""
    lease_expire_time: int | None = None
    resource: str = ""
    lease_begin_time: int | None = None
    # Of a subscription: when a change of it was last handed out to be sent.
    change_time: int = 0

    def leased(self, now: int) -> bool:
        return self.lease_expire_time is not None and now < self.lease_expire_time

    def held_by(self, fence: int, now: int) -> bool:
        """Whether this is the current lease."""
        return self.fence == fence and self.leased(now)


def backoff(tries: int, roll: float) -> int:
    """Microseconds to the next try: exponential with full jitter. `roll` is between 0 and 1."""
    longest = min(BACKOFF_LAST_S, BACKOFF_FIRST_S << min(tries, 16))
    return round(longest * roll * MICROS)


def query_delay(tries: int) -> int:
    """Microseconds until a transaction is asked for again."""
    return QUERY_DELAYS_S[min(tries, len(QUERY_DELAYS_S) - 1)] * MICROS


def problem_delay(tries: int) -> int:
    """Microseconds until a partner is asked again that has said no."""
    return PROBLEM_DELAYS_S[min(tries, len(PROBLEM_DELAYS_S) - 1)] * MICROS


def leased(task: Task, holder: str, lease: int, now: int) -> Task:
    return replace(task, holder=holder, fence=task.fence + 1, lease_begin_time=now, lease_expire_time=now + lease)


def let_go(task: Task, due_time: int) -> Task:
    """The task to be tried once more at that time."""
    return replace(task, tries=task.tries + 1, due_time=due_time, holder="", lease_expire_time=None)


def asked_again(task: Task, retry_after: int, now: int) -> Task:
    """The query after an answer that settled nothing."""
    tries = task.tries + 1
    due = now + max(query_delay(tries), retry_after)
    return replace(task, tries=tries, due_time=due, holder="", lease_expire_time=None)
