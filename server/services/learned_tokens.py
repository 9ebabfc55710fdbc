"""Tokens that PaymentOptions makes of the cards that it stores: known by a confirmed charge, and by nothing else."""

import re

from server.domain import names, tokens
from server.domain.events import Event, EventKind
from server.domain.hosted_pages import asks_for_page
from server.domain.payment_answers import PartnerAnswer
from server.domain.payment_operations import Operation
from server.domain.payments import Payment
from server.domain.tokens import Token, TokenProvider
from server.ports import Transaction

STORED_PAYMENT_METHOD_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def learn(
    transaction: Transaction,
    payment: Payment,
    operation: Operation,
    answer: PartnerAnswer,
    actor: str,
    correlation_id: str,
    now: int,
) -> tuple[str, str]:
    """The name of the token that the answer to a payment's first operation says, and why there is none where it says
    one.

    A new one is made; of a known one what is missing of its card is completed, and nothing else. Repeating it changes
    nothing.
    """
    method = answer.stored_payment_method_id
    if not method or operation.number != 1 or (asks_for_page(operation.kind) and not operation.store_payment_method):
        return "", ""
    gateway, merchant_id = payment.merchant_gateway_id, payment.merchant_id
    name = names.token(gateway, merchant_id, method)
    if not STORED_PAYMENT_METHOD_ID.fullmatch(method) or len(name) > names.LONGEST_NAME:
        return "", "names a stored payment method that can be no token"
    card = tokens.card_of(answer.masked_number, answer.card_expiry)
    # Unlocked: of most payments the token is known, and whoever pays with it locks it before its payment.
    seen = transaction.ledger.token_seen(name)
    if seen is not None and seen.provider is not TokenProvider.PAYMENT_OPTIONS:
        return "", f"names a stored payment method that is a token of {seen.provider}"
    if seen is None:
        made = tokens.stored(gateway, merchant_id, method, TokenProvider.PAYMENT_OPTIONS, card, now)
        transaction.tokens.insert([made])
        transaction.append(_event(EventKind.TOKEN_CREATED, made, payment, actor, correlation_id, now))
    elif tokens.completed(seen, card, now) is not seen:
        held = transaction.tokens.get(name) or seen
        after = tokens.completed(held, card, now)
        if after is not held:
            transaction.tokens.update([after])
            transaction.append(_event(EventKind.TOKEN_UPDATED, after, payment, actor, correlation_id, now))
    return name, ""


def _event(kind: EventKind, token: Token, payment: Payment, actor: str, correlation_id: str, now: int) -> Event:
    return Event(
        kind=kind,
        resource=token.name,
        time=now,
        merchant_gateway_id=token.merchant_gateway_id,
        merchant_id=token.merchant_id,
        correlation_id=correlation_id or payment.correlation_id,
        actor=actor,
        details={"payment": payment.name},
        snapshot=token,
    )
