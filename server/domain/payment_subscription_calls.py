"""When the partner is called about a subscription, and what for.

What may have been sent is sent again only after the partner was asked how things stand: going on twice could undo what
somebody did in between. Cancelling twice does no harm, so that it does not wait for that for ever.
"""

from dataclasses import replace
from enum import StrEnum

from server.domain.payment_operations import Operation, OperationState
from server.domain.payment_subscriptions import CHARGING, DAY, FINAL, MICROS, PaymentSubscription, Wish
from server.domain.payment_subscriptions import SubscriptionState as S
from server.domain.tasks import IDLE_QUERIES, query_delay

# After a cycle is due, before the partner is asked for it.
MARGIN = 60 * MICROS
# How old the partner's word may be on which charging is started again.
FRESH = 60 * MICROS
# After this a cancel is told again also where no look has succeeded since: else the payer would be charged on for as
# long as the partner's details cannot be read. Longer than two looks are apart, so that there is one between.
UNHEARD = 15 * 60 * MICROS
# A wish is tried again as often as after so many tries, however many there were.
WISH_TRIES = 2
# The creation was never sent, or is on its way, or with the payer.
_UNASKABLE = frozenset(
    {
        OperationState.PENDING,
        OperationState.SENDING,
        OperationState.REQUIRES_ACTION,
        OperationState.CANCELLED,
        OperationState.EXPIRED_UNSENT,
    }
)


class CallKind(StrEnum):
    LIST = "LIST"
    DETAILS = "DETAILS"
    CANCEL = "CANCEL"
    RESUME = "RESUME"


CHANGES = frozenset({CallKind.CANCEL, CallKind.RESUME})


def answered(subscription: PaymentSubscription, change_time: int) -> PaymentSubscription:
    """The subscription once the partner's word is from after the change that was asked of it: the wish is done, or was
    refused, or is still open."""
    wish, observed = subscription.wish, subscription.observed
    if wish is None or observed is None:
        return subscription
    done = observed in FINAL if wish is Wish.CANCEL else observed is S.ACTIVE
    if done:
        return replace(subscription, wish=None, refusal_text="")
    if wish is Wish.RESUME and observed is not S.PAUSED:
        return replace(subscription, wish=None, refusal_text=subscription.refusal_text or f"it is {observed}")
    if subscription.refusal_text and subscription.look_begin_time > change_time:
        return replace(subscription, wish=None)
    return subscription


def next_call(subscription: PaymentSubscription, change_time: int, now: int, *, held: bool) -> CallKind:
    """What the partner is to be asked or told now. `change_time`: when a change was last handed out to be sent; what
    may have been sent is told again only after a look from after it, or, of a cancel, after a long time without
    one."""
    if not subscription.partner_subscription_id:
        return CallKind.LIST
    looked = subscription.look_begin_time > change_time
    due = looked or now - change_time >= UNHEARD
    if subscription.wish is Wish.CANCEL and subscription.observed not in FINAL and due:
        return CallKind.CANCEL
    # Not where the last look told no state.
    told = subscription.look_time is not None and subscription.look_time >= subscription.look_begin_time
    fresh = told and now - subscription.look_begin_time <= FRESH
    if subscription.wish is Wish.RESUME and not held and looked and fresh and subscription.observed is S.PAUSED:
        return CallKind.RESUME
    return CallKind.DETAILS


def next_look(subscription: PaymentSubscription, first: Operation, tries: int, now: int) -> int | None:
    """When the partner is to be asked next; None for never. `tries`: how often nothing new was heard."""
    soon = now + query_delay(tries)
    idle = soon if tries < IDLE_QUERIES else None
    if not subscription.partner_subscription_id:
        if first.state in _UNASKABLE and not first.hinted:
            return None
        return soon if first.unresolved or first.charged else idle
    if subscription.observed in FINAL:
        # It may just have charged.
        return idle
    if subscription.wish:
        # Somebody waits for it.
        return now + query_delay(min(tries, WISH_TRIES))
    if first.unresolved or (subscription.listed and idle):
        return soon
    due = subscription.next_payment_time
    if due is None or subscription.state not in CHARGING:
        return now + DAY
    return min(due + MARGIN, now + DAY) if due + MARGIN > now else soon
