"""Payment subscriptions: the partner charges a token by itself, and we learn of it.

Where one stands follows from its first operation, which creates it, and from the partner's last word. What the partner
says of charges moves nothing: each transaction that it lists is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain import timestamps
from server.domain.money import Money
from server.domain.partner_subscriptions import PartnerSubscription
from server.domain.payment_answers import OperationKind
from server.domain.payment_operations import Operation, OperationState
from server.domain.refusals import EtagMismatch, FieldInvalid

MICROS = 1_000_000
DAY = 24 * 3600 * MICROS
# Shorter than any card number.
MARK_PART = 8


class SubscriptionState(StrEnum):
    PENDING = "PENDING"
    CREATING = "CREATING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    IN_DOUBT = "IN_DOUBT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    DECLINED = "DECLINED"
    NOT_CREATED = "NOT_CREATED"
    UNRECOGNIZED = "UNRECOGNIZED"


S = SubscriptionState

# The partner may charge in these.
CHARGING = frozenset({S.ACTIVE, S.UNRECOGNIZED})
FINAL = frozenset({S.CANCELLED, S.EXPIRED})
# In these there is, or may be, something at the partner.
LIVE = frozenset({S.CREATING, S.REQUIRES_ACTION, S.IN_DOUBT, S.ACTIVE, S.PAUSED, S.UNRECOGNIZED})
_OF_WORDS = {
    "ACTIVE": S.ACTIVE,
    "PAUSED": S.PAUSED,
    "CANCELLED": S.CANCELLED,
    "CANCELED": S.CANCELLED,
    "EXPIRED": S.EXPIRED,
}
_OF_CREATION = {
    OperationState.PENDING: S.PENDING,
    OperationState.SENDING: S.CREATING,
    OperationState.PROCESSING: S.CREATING,
    OperationState.REQUIRES_ACTION: S.REQUIRES_ACTION,
    OperationState.IN_DOUBT: S.IN_DOUBT,
    OperationState.DECLINED: S.DECLINED,
    OperationState.CANCELLED: S.NOT_CREATED,
    OperationState.EXPIRED_UNSENT: S.NOT_CREATED,
    OperationState.NOT_CHARGED: S.NOT_CREATED,
}


class CycleUnit(StrEnum):
    DAYS = "DAYS"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


# At most: a month without the partner's own date is over after 31 days.
_DAYS = {CycleUnit.DAYS: 1, CycleUnit.WEEKLY: 7, CycleUnit.MONTHLY: 31}


class Wish(StrEnum):
    CANCEL = "CANCEL"
    RESUME = "RESUME"


@dataclass(frozen=True, slots=True)
class Plan:
    """When and how often the partner charges."""

    name: str
    description: str
    cycle_unit: CycleUnit
    cycle_interval: int
    max_cycle_count: int
    trial_days: int = 0
    discount_percentage: int = 0
    discount_cycle_count: int = 0

    def cost(self, minor_amount: int, cycle: int) -> int:
        """What a cycle costs, of which this is the amount without discount."""
        if cycle > self.discount_cycle_count:
            return minor_amount
        return minor_amount * (100 - self.discount_percentage) // 100

    def costs(self, minor_amount: int, cycle: int) -> tuple[int, ...]:
        """What any cycle may cost; first what this one does."""
        fitting = self.cost(minor_amount, cycle)
        every = (fitting, minor_amount, self.cost(minor_amount, 1))
        return tuple(dict.fromkeys(every))

    @property
    def interval(self) -> int:
        """The microseconds from one cycle to the next, at most."""
        return _DAYS[self.cycle_unit] * self.cycle_interval * DAY

    def may_have_second(self, age: int) -> bool:
        """Whether a second cycle may be charged so many microseconds after the subscription was asked for. A day
        sooner than by the plan: cycles may go by the calendar."""
        shortest = min(28, _DAYS[self.cycle_unit]) * self.cycle_interval * DAY
        return self.max_cycle_count > 1 and age >= self.trial_days * DAY + shortest - DAY


@dataclass(frozen=True, slots=True)
class Listed:
    """A transaction that the partner lists and has not confirmed to us."""

    transaction_id: str
    # 0 where the partner gives none.
    cycle: int


@dataclass(frozen=True, slots=True)
class PaymentSubscription:
    """A subscription. Times are microseconds on the database's clock.

    `next_payment_time` and `due_cycle`: the next cycle, or the one that is due and without evidence. `look_begin_time`:
    when the call began whose answer was the partner's last word. `refresh_time`: what the partner says has to be from
    after this. `attend_time`: when the steward has to look whether a cycle is overdue.
    """

    name: str
    merchant_subscription_id: str
    payment: str
    token: str
    account: str
    merchant_gateway_id: str
    merchant_id: str
    currency_code: str
    minor_amount: int
    plan: Plan
    reference: str
    create_time: int
    update_time: int
    state: SubscriptionState = S.PENDING
    state_text: str = ""
    partner_subscription_id: str | None = None
    completed_cycle_count: int = 0
    last_payment_status_text: str = ""
    next_payment_time: int | None = None
    due_cycle: int = 0
    overdue: bool = False
    wish: Wish | None = None
    refusal_text: str = ""
    look_time: int | None = None
    look_begin_time: int = 0
    refresh_time: int = 0
    listed: tuple[Listed, ...] = ()
    attend_time: int | None = None
    correlation_id: str = ""
    revision: int = 1

    @property
    def amount(self) -> Money:
        return Money(self.minor_amount, self.currency_code)

    @property
    def mark(self) -> str:
        """What the partner's list is searched for: our reference, in parts too short to look like a card number."""
        parts = [self.reference[place : place + MARK_PART] for place in range(0, len(self.reference), MARK_PART)]
        return f"[{'_'.join(parts)}]"

    @property
    def observed(self) -> SubscriptionState | None:
        """The partner's last word; None before there is any."""
        if not self.state_text:
            return None
        return _OF_WORDS.get(self.state_text.upper(), S.UNRECOGNIZED)

    @property
    def sent_description(self) -> str:
        return f"{self.plan.description} {self.mark}".lstrip()


def check_plan(plan: Plan, amount: Money) -> None:
    """Raises FieldInvalid."""
    if bool(plan.discount_percentage) != bool(plan.discount_cycle_count):
        raise FieldInvalid("plan.discount_cycle_count", "with a discount, and only with one", "required")
    if amount.minor_amount * (100 - plan.discount_percentage) % 100:
        why = "must leave a whole amount in the currency's smallest unit: how the partner rounds is not known"
        raise FieldInvalid("plan.discount_percentage", why, "whole")


def check_etag(subscription: PaymentSubscription, etag: str) -> None:
    """Raises EtagMismatch."""
    if etag and etag != str(subscription.revision):
        raise EtagMismatch(subscription.name)


def derive(
    subscription: PaymentSubscription, operations: Sequence[Operation], now: int, *, overdue_after: int
) -> PaymentSubscription:
    """The subscription as its operations and the partner's last word make it."""
    first, observed = operations[0], subscription.observed
    if first.charged:
        state = observed or S.ACTIVE
    elif subscription.partner_subscription_id and observed is None and not first.unresolved:
        # The partner has it, and does not say how it stands.
        state = S.UNRECOGNIZED
    elif first.unresolved or observed not in (S.ACTIVE, S.PAUSED, S.UNRECOGNIZED):
        state = _OF_CREATION[first.state]
    else:
        # Nothing was moved by its creation, and yet the partner has it.
        state = observed
    made = replace(subscription, state=state)
    if first.charged and observed is None and made.next_payment_time is None:
        made = _unheard(made, operations)
    # Whether its creation is settled or not.
    charging = state in CHARGING or observed in CHARGING
    due = made.next_payment_time if charging else None
    missing = due is not None and due <= now and not has_evidence(made, operations)
    overdue = made.overdue and missing
    attend = due + overdue_after if due is not None and not overdue and (missing or due > now) else None
    return replace(made, overdue=overdue, attend_time=attend)


def has_evidence(subscription: PaymentSubscription, operations: Sequence[Operation]) -> bool:
    """Whether it is known what became of the cycle that is or was due, or of a later one."""
    since = subscription.next_payment_time or 0
    return any(
        not each.unresolved
        and (
            each.cycle >= max(subscription.due_cycle, 1)
            or (each.kind is OperationKind.CYCLE and not each.cycle and each.create_time >= since)
        )
        for each in operations
    )


def differs(before: PaymentSubscription, after: PaymentSubscription) -> bool:
    """Whether something changed that anybody sees, the time of the last look aside."""
    return _shown(before) != _shown(after)


def _shown(of: PaymentSubscription) -> PaymentSubscription:
    return replace(
        of, look_time=None, look_begin_time=0, refresh_time=0, listed=(), attend_time=None, update_time=0, revision=0
    )


def observe(
    subscription: PaymentSubscription,
    said: PartnerSubscription,
    operations: Sequence[Operation],
    began: int,
    now: int,
) -> PaymentSubscription:
    """The subscription after the partner's word on it. What is final stays final."""
    final = subscription.observed in FINAL
    word = subscription.state_text if final and _OF_WORDS.get(said.status.upper()) not in FINAL else said.status
    made = replace(
        subscription,
        state_text=word or subscription.state_text,
        completed_cycle_count=whole_number(said.completed_cycle_count, subscription.completed_cycle_count),
        last_payment_status_text=said.last_payment_status,
        look_time=now if said.status else subscription.look_time,
        look_begin_time=began,
    )
    return _with_next(made, said, operations, now)


def regresses(subscription: PaymentSubscription, said: PartnerSubscription) -> bool:
    """Whether the partner takes a final word back."""
    return subscription.observed in FINAL and bool(said.status) and _OF_WORDS.get(said.status.upper()) not in FINAL


def _with_next(
    subscription: PaymentSubscription, said: PartnerSubscription, operations: Sequence[Operation], now: int
) -> PaymentSubscription:
    """What is due next. A cycle that was due stays until there is evidence of it."""
    due = subscription.next_payment_time
    if subscription.observed in FINAL:
        return replace(subscription, next_payment_time=None, due_cycle=0)
    waiting = subscription.observed in (None, *CHARGING)
    if due is not None and due <= now and waiting and not has_evidence(subscription, operations):
        return subscription
    cycle = whole_number(said.next_payment_cycle, subscription.completed_cycle_count + 1)
    told = timestamps.parse(said.next_payment_date).micros if said.next_payment_date else None
    if told is None and cycle <= subscription.plan.max_cycle_count:
        told = _reckoned(subscription, operations)
    return replace(subscription, next_payment_time=told, due_cycle=cycle if told is not None else 0)


def _unheard(subscription: PaymentSubscription, operations: Sequence[Operation]) -> PaymentSubscription:
    """What is due next by the plan, of a subscription of which the partner has said nothing yet."""
    cycle = max(each.cycle for each in operations) + 1
    if cycle > subscription.plan.max_cycle_count:
        return subscription
    return replace(subscription, next_payment_time=_reckoned(subscription, operations), due_cycle=cycle)


def _reckoned(subscription: PaymentSubscription, operations: Sequence[Operation]) -> int:
    """When the next cycle is due by the plan, where the partner gives no date."""
    done = [each.create_time for each in operations if each.cycle and not each.unresolved]
    if done:
        return max(done) + subscription.plan.interval
    return subscription.create_time + subscription.plan.trial_days * DAY


def whole_number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else otherwise
