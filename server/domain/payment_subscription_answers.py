"""What the partner says of a subscription, judged: whether it is ours, and whether it was created."""

from dataclasses import replace

from server.domain.partner_subscriptions import PartnerSubscription
from server.domain.payment_answers import (
    READ_STATUSES,
    TRANSACTION_ID,
    Doubt,
    Expected,
    PartnerAnswer,
    Reading,
    Verdict,
    amount_said,
    judge,
    stranger_of,
)
from server.domain.payment_codes import CodeClass, class_of_code
from server.domain.payment_options import AmountUnit
from server.domain.payment_subscriptions import Listed, PaymentSubscription, whole_number

TRIAL_CODES = frozenset({"INFO0000", "INFO3000"})


def judge_creation(subscription: PaymentSubscription, expected: Expected, answer: PartnerAnswer) -> Reading:
    """What the answer to an attempt at creating says of it. With a trial there is no payment in it, and nothing but the
    subscription itself can prove that it was created."""
    reading = judge(expected, answer)
    tells = answer.http_status in READ_STATUSES and answer.readable and answer.success == "true"
    if not subscription.plan.trial_days or not tells or answer.redirect_url or reading.verdict is Verdict.PROCESSING:
        return reading
    why = _why_no_trial(subscription, expected, answer)
    if why:
        return replace(reading, verdict=Verdict.IN_DOUBT, why=why, doubt=Doubt.ANSWER_UNREADABLE)
    created = replace(reading, verdict=Verdict.APPROVED, why="created, and nothing charged: a trial", doubt=None)
    return replace(created, confirmed_minor_amount=0)


def _why_no_trial(subscription: PaymentSubscription, expected: Expected, answer: PartnerAnswer) -> str:
    """Why an answer does not say that a trial has begun; empty where it does."""
    if stranger := stranger_of(expected, answer):
        return stranger
    if answer.partner_transaction_id or answer.amount:
        return "a payment, where a trial was asked for"
    if class_of_code(answer.response_code) not in (CodeClass.NONE, CodeClass.APPROVED):
        return "says yes, with a response code that does not"
    if answer.gateway_code.upper() not in TRIAL_CODES:
        return "says yes, without a code that says so of this call"
    if len(answer.subscriptions) != 1:
        return "says yes, without a subscription"
    return strange(subscription, expected.amount_unit, answer.subscriptions[0], whole=False)


def strange(subscription: PaymentSubscription, unit: AmountUnit, said: PartnerSubscription, *, whole: bool) -> str:
    """Why the partner speaks of another subscription than ours; empty where nothing says so.

    `whole`: it has to say of everything that it is the same, because nothing else binds it to ours.
    """
    plan = subscription.plan
    code = subscription.currency_code
    held = subscription.partner_subscription_id
    if not TRANSACTION_ID.fullmatch(said.partner_subscription_id):
        return "without a well-formed id"
    if held and said.partner_subscription_id.lower() != held.lower():
        return "another id than the one that is bound"
    if whole and not (said.plan_name and said.amount and said.currency and said.plan_description):
        return "without a name, a description, an amount or a currency"
    facts = (
        ("description", said.plan_description, subscription.mark in said.plan_description),
        ("name", said.plan_name, said.plan_name == plan.name),
        ("amount", said.amount, amount_said(said.amount, code, unit) == subscription.amount),
        ("currency", said.currency, said.currency.upper() == code),
        ("kind of cycle", said.cycle_type, said.cycle_type.upper() == plan.cycle_unit),
        ("interval", said.cycle_interval, said.cycle_interval == str(plan.cycle_interval)),
        ("number of cycles", said.max_cycle_count, said.max_cycle_count == str(plan.max_cycle_count)),
    )
    return next((f"another {name} than ours" for name, text, same in facts if text and not same), "")


def listed_by(said: PartnerSubscription) -> tuple[Listed, ...]:
    """The transactions that the partner lists, each once; without those whose id is none."""
    found: dict[str, Listed] = {}
    for each in said.transactions:
        named = each.partner_transaction_id
        if TRANSACTION_ID.fullmatch(named) and named not in found:
            found[named] = Listed(named, whole_number(each.cycle, 0))
    return tuple(found.values())
