"""Transactions at the acquirer: what it tells in any order and more than once, and what that comes to."""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain.acquirer_tellings import AcquirerState, AcquirerType, Telling, money_of, state_of, type_of
from server.domain.money import Money
from server.domain.ordering import order_time
from server.domain.webhook_configs import AcquirerCall

DAY = 24 * 3600 * 1_000_000
# A transaction that stays open is asked for until so long after the acquirer last said anything of it by itself.
ASKED_FOR = 14 * DAY


class Standing(StrEnum):
    """Whether a state can still become another by itself."""

    OPEN = "OPEN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


S = AcquirerState
STANDINGS: dict[AcquirerState, Standing] = {
    S.PENDING: Standing.OPEN,
    S.IN_PROCESSING: Standing.OPEN,
    S.PARTIAL: Standing.OPEN,
    S.UNRECOGNIZED: Standing.OPEN,
    S.SUCCESS: Standing.SUCCEEDED,
    S.DECLINED: Standing.FAILED,
    S.ERROR: Standing.FAILED,
    S.TIMEOUT: Standing.FAILED,
    S.EXPIRED: Standing.FAILED,
}
# What is known by itself, by standing: the first of these that there is decides. An open state never takes a final one
# back, and no failure takes a success back: where they can't both be, the transaction is contested and the status is
# asked for.
PRECEDENCE = (Standing.SUCCEEDED, Standing.FAILED, Standing.OPEN)


class Booking(StrEnum):
    NONE = "NONE"
    PAID = "PAID"
    AUTHORIZED = "AUTHORIZED"
    OTHER = "OTHER"


# What a success of each type means for the books: of anything else it is no payment.
BOOKINGS: dict[AcquirerType, Booking] = {
    AcquirerType.PURCHASE: Booking.PAID,
    AcquirerType.PAID_REFERENCE: Booking.PAID,
    AcquirerType.AUTHORIZATION: Booking.AUTHORIZED,
}
# Of two successes of different types under one id the payment is not hidden by what followed it.
RANKS = {AcquirerType.PURCHASE: 3, AcquirerType.PAID_REFERENCE: 2, AcquirerType.AUTHORIZATION: 1}


class ReportKind(StrEnum):
    NOTIFICATION = "NOTIFICATION"
    STATUS_ANSWER = "STATUS_ANSWER"


class ReportEffect(StrEnum):
    APPLIED = "APPLIED"
    KNOWN = "KNOWN"
    STALE = "STALE"
    CONTESTED = "CONTESTED"


@dataclass(frozen=True, slots=True)
class Told:
    """The latest that was told of a transaction with one standing. `order_time` is in microseconds; None where the
    order of arrival counts."""

    state: AcquirerState
    state_text: str
    type_text: str
    method_text: str
    amount_text: str
    currency_text: str
    time_text: str
    order_time: int | None
    status_code: str
    status_message: str

    @property
    def type(self) -> AcquirerType | None:
        return type_of(self.type_text)

    @property
    def amount(self) -> Money | None:
        return money_of(self.amount_text, self.currency_text)

    @property
    def rank(self) -> int:
        """Only successes have one."""
        return RANKS.get(self.type, 0) if self.type and self.state is S.SUCCESS else 0


@dataclass(frozen=True, slots=True)
class AcquirerTransaction:
    """Times are microseconds. `conflict`: successes that can't both be true were told; `reused`: a notification's id
    came again with other content. Both until a status answer settles it. `report_time` is when the acquirer last said
    something by itself."""

    name: str
    account: str
    transaction_id: str
    merchant_gateway_id: str
    merchant_id: str
    create_time: int
    update_time: int
    report_time: int
    terminal_id: str = ""
    merchant_reference: str = ""
    payment: str = ""
    state: AcquirerState = AcquirerState.PENDING
    contested: bool = False
    succeeded: Told | None = None
    failed: Told | None = None
    open: Told | None = None
    conflict: bool = False
    reused: bool = False
    confirmed: bool = False
    query_pending: bool = False
    last_query: AcquirerCall | None = None
    report_count: int = 0
    revision: int = 1

    @property
    def shown(self) -> Told | None:
        """What decides; None where nothing was told that could be believed."""
        return next((told for standing in PRECEDENCE if (told := _slot(self, standing))), None)

    @property
    def booking(self) -> Booking:
        """What it means for the books."""
        if self.succeeded is None:
            return Booking.NONE
        return BOOKINGS.get(self.succeeded.type, Booking.OTHER) if self.succeeded.type else Booking.OTHER

    @property
    def unsettled(self) -> bool:
        """Whether only the acquirer's status can tell how it stands."""
        return self.contested or STANDINGS[self.state] is Standing.OPEN


@dataclass(frozen=True, slots=True)
class Report:
    """Something that the acquirer said of a transaction. `digest` tells status answers apart, `effect_digest` is what
    those have in common that say the same; None where it has had no effect. The body of a notification is with the
    notification."""

    name: str
    acquirer_transaction: str
    number: int
    kind: ReportKind
    effect: ReportEffect
    time: int
    state_text: str
    type_text: str
    amount_text: str
    currency_text: str
    time_text: str
    status_code: str
    notification: str = ""
    notification_id: str = ""
    webhook_config: str = ""
    effect_digest: bytes | None = None
    digest: bytes | None = None
    sealed_body: bytes = b""

    @property
    def state(self) -> AcquirerState | None:
        return state_of(self.state_text)


def told_of(telling: Telling, now: int) -> Told:
    return Told(
        state=state_of(telling.state_text) or AcquirerState.UNRECOGNIZED,
        state_text=telling.state_text,
        type_text=telling.type_text,
        method_text=telling.method_text,
        amount_text=telling.amount_text,
        currency_text=telling.currency_text,
        time_text=telling.time_text,
        order_time=order_time(telling.time_text, now).micros,
        status_code=telling.status_code,
        status_message=telling.status_message,
    )


def heard(transaction: AcquirerTransaction, telling: Telling, now: int) -> tuple[AcquirerTransaction, ReportEffect]:
    """The transaction after a notification that is news, and what that did. Which of several notifications with
    readable times came first makes no difference."""
    told = told_of(telling, now)
    standing = STANDINGS[told.state]
    held = _slot(transaction, standing)
    changed = transaction
    if standing is Standing.SUCCEEDED and held is not None and _contradict(held, told):
        changed = replace(changed, conflict=True)
    if held is None or _later(held, told):
        changed = _put(changed, standing, told)
    changed = replace(
        changed,
        terminal_id=changed.terminal_id or telling.terminal_id,
        merchant_reference=changed.merchant_reference or telling.merchant_reference,
        report_time=now,
    )
    changed = settled(changed, confirmed=transaction.confirmed and changed.shown == transaction.shown)
    return changed, ReportEffect.APPLIED if changed.shown != transaction.shown else ReportEffect.STALE


def contest(transaction: AcquirerTransaction, now: int) -> AcquirerTransaction:
    """The transaction after a notification that must not be believed by itself."""
    return settled(replace(transaction, reused=True, report_time=now), confirmed=False)


def answered(transaction: AcquirerTransaction, telling: Telling, now: int) -> tuple[AcquirerTransaction, ReportEffect]:
    """The transaction after a status answer that counts: what is final in it settles everything that was told before.

    What it does not tell stays as it was known."""
    before = transaction.shown
    told = told_of(telling, now)
    if before is not None:
        told = replace(
            told,
            type_text=told.type_text or before.type_text,
            method_text=told.method_text or before.method_text,
            amount_text=told.amount_text or before.amount_text,
            currency_text=told.currency_text or before.currency_text,
            time_text=told.time_text or before.time_text,
            order_time=told.order_time if told.time_text else before.order_time,
        )
    standing = STANDINGS[told.state]
    changed = transaction
    if standing is not Standing.OPEN:
        changed = replace(changed, succeeded=None, failed=None, conflict=False, reused=False)
    if standing is not Standing.OPEN or (changed.succeeded is None and changed.failed is None):
        changed = _put(changed, standing, told)
    changed = replace(
        changed,
        terminal_id=changed.terminal_id or telling.terminal_id,
        merchant_reference=changed.merchant_reference or telling.merchant_reference,
    )
    changed = settled(changed, confirmed=False)
    changed = replace(changed, confirmed=not changed.contested and changed.shown == told)
    return changed, ReportEffect.APPLIED if _said(changed) != _said(transaction) else ReportEffect.KNOWN


def settled(transaction: AcquirerTransaction, *, confirmed: bool) -> AcquirerTransaction:
    """The transaction with what follows from what was told."""
    shown = transaction.shown
    contested = transaction.reused or transaction.conflict or _at_odds(transaction.succeeded, transaction.failed)
    return replace(
        transaction,
        state=shown.state if shown else AcquirerState.PENDING,
        contested=contested,
        confirmed=confirmed and not contested,
    )


def answer_problem(transaction: AcquirerTransaction, telling: Telling) -> str:
    """Why a status answer proves nothing; empty where it counts."""
    if telling.transaction_id != transaction.transaction_id:
        return "another transaction"
    state = state_of(telling.state_text)
    if state is None or state is AcquirerState.UNRECOGNIZED:
        return "no known status"
    amount = money_of(telling.amount_text, telling.currency_text)
    if (telling.amount_text or telling.currency_text) and amount is None:
        return "no amount that could be read"
    return ""


def to_be_asked(transaction: AcquirerTransaction, now: int) -> bool:
    """Whether time goes on asking for it."""
    return transaction.unsettled and now - transaction.report_time < ASKED_FOR


def _slot(transaction: AcquirerTransaction, standing: Standing) -> Told | None:
    held: Told | None = getattr(transaction, _FIELDS[standing])
    return held


_FIELDS = {Standing.SUCCEEDED: "succeeded", Standing.FAILED: "failed", Standing.OPEN: "open"}


def _put(transaction: AcquirerTransaction, standing: Standing, told: Told) -> AcquirerTransaction:
    changes: dict[str, Told] = {_FIELDS[standing]: told}
    return replace(transaction, **changes)  # type: ignore[arg-type]  # the fields of the standings hold what was told


def _later(held: Told, told: Told) -> bool:
    """Whether what is told takes the place of what is held, of the same standing."""
    if held.rank != told.rank:
        return told.rank > held.rank
    if held.order_time is None or told.order_time is None:
        return True
    return told.order_time >= held.order_time


def _contradict(one: Told, other: Told) -> bool:
    """Whether two successes can't both be true of one transaction."""
    types = {one.type_text, other.type_text} - {""}
    amounts = {_sum(one), _sum(other)} - {("", "")}
    return len(types) > 1 or len(amounts) > 1


def _sum(told: Told) -> tuple[str, str]:
    amount = told.amount
    return (str(amount.minor_amount), amount.currency_code) if amount else (told.amount_text, told.currency_text)


def _at_odds(succeeded: Told | None, failed: Told | None) -> bool:
    """Whether it failed after it had succeeded, as far as anybody can tell: the other way round is a second try."""
    if succeeded is None or failed is None:
        return False
    if succeeded.order_time is None or failed.order_time is None:
        return True
    return failed.order_time >= succeeded.order_time


def _said(transaction: AcquirerTransaction) -> tuple[object, ...]:
    """What an event would tell."""
    return transaction.shown, transaction.contested, transaction.confirmed
