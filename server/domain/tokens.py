"""Payment tokens: what partners report on them and what we decide about them."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain import names
from server.domain.notifications import D1TokenUpdate, NotificationFlag, TshToken
from server.domain.ordering import is_stale, newest, order_time
from server.domain.refusals import EtagMismatch


class TokenProvider(StrEnum):
    D1_ECOM = "D1_ECOM"
    TSH = "TSH"
    PAYMENT_OPTIONS = "PAYMENT_OPTIONS"


class TokenState(StrEnum):
    """The state that the partner last reported; an open list."""

    UNSPECIFIED = "UNSPECIFIED"
    UNRECOGNIZED = "UNRECOGNIZED"
    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


_MASKED = re.compile(r"([0-9]{6,8})[^0-9]{2,13}([0-9]{2,5})")
_EXPIRY = re.compile(r"(?:0[1-9]|1[0-2])[0-9]{2}")
REPORTED_STATES = {state.value: state for state in (TokenState.ACTIVE, TokenState.SUSPENDED, TokenState.DELETED)}


@dataclass(frozen=True, slots=True)
class Token:
    """A payment token. Texts are the partner's own, empty where it reported none; times are microseconds."""

    name: str
    merchant_gateway_id: str
    merchant_id: str
    token_id: str
    provider: TokenProvider
    create_time: int
    update_time: int
    state: TokenState = TokenState.UNSPECIFIED
    state_text: str = ""
    card_bin: str = ""
    card_last_digits: str = ""
    card_expiry: str = ""
    token_last_digits: str = ""
    token_expiry: str = ""
    payment_account_reference: str = ""
    visa_provisioned_token_id: str = ""
    refresh_generation: int = 0
    refreshed_generation: int = 0
    delivery_count: int = 0
    last_update_type: str = ""
    disable_time: int | None = None
    disable_reason: str = ""
    partner_create_time_text: str = ""
    partner_update_time_text: str = ""
    partner_order_time: int | None = None
    last_content: str = ""
    revision: int = 1
    # When it was last read again, and why the last try came to nothing.
    refresh_time: int | None = None
    refresh_error: str = ""

    @property
    def refresh_due(self) -> bool:
        """Whether it is to be read again."""
        return self.refreshed_generation < self.refresh_generation


@dataclass(frozen=True, slots=True)
class TokenReport:
    """What a report made of the token. A stale one changed nothing but the count of deliveries."""

    token: Token
    stale: bool
    flags: tuple[NotificationFlag, ...]


def state_of(text: str) -> TokenState:
    return REPORTED_STATES.get(text, TokenState.UNRECOGNIZED) if text else TokenState.UNSPECIFIED


def first_seen(gateway: str, merchant_id: str, token_id: str, provider: TokenProvider, now: int) -> Token:
    return Token(
        name=names.token(gateway, merchant_id, token_id),
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        token_id=token_id,
        provider=provider,
        create_time=now,
        update_time=now,
        revision=0,
    )


@dataclass(frozen=True, slots=True)
class CardParts:
    """What may be known of a card: the first and the last digits, and the expiry date as MMYY; empty where unknown."""

    bin: str = ""
    last_digits: str = ""
    expiry: str = ""


def card_of(masked_number: str, expiry: str) -> CardParts:
    """What a partner's masked number and expiry date say; nothing where they are none."""
    number = _MASKED.fullmatch(masked_number)
    first, last = (number[1], number[2]) if number else ("", "")
    return CardParts(first, last, expiry if _EXPIRY.fullmatch(expiry) else "")


def stored(gateway: str, merchant_id: str, token_id: str, provider: TokenProvider, card: CardParts, now: int) -> Token:
    """A token that a partner made of a card."""
    made = first_seen(gateway, merchant_id, token_id, provider, now)
    return replace(
        made,
        state=TokenState.CREATED,
        card_bin=card.bin,
        card_last_digits=card.last_digits,
        card_expiry=card.expiry,
        revision=1,
    )


def completed(token: Token, card: CardParts, now: int) -> Token:
    """The token with what was not known of its card; as it is where nothing is new, or it is another card."""
    known = CardParts(token.card_bin, token.card_last_digits, token.card_expiry)
    same_bin = known.bin.startswith(card.bin) or card.bin.startswith(known.bin)
    same_end = known.last_digits.endswith(card.last_digits) or card.last_digits.endswith(known.last_digits)
    whole = CardParts(known.bin or card.bin, known.last_digits or card.last_digits, known.expiry or card.expiry)
    if whole == known or not (same_bin and same_end):
        return token
    return replace(
        token,
        card_bin=whole.bin,
        card_last_digits=whole.last_digits,
        card_expiry=whole.expiry,
        update_time=now,
        revision=token.revision + 1,
    )


def request_refresh(token: Token, fact: D1TokenUpdate, now: int) -> Token:
    """Every delivery asks for a refresh, a repeated one too: reading once more does no harm, missing one would."""
    return replace(
        token,
        refresh_generation=token.refresh_generation + 1,
        delivery_count=token.delivery_count + 1,
        last_update_type=fact.update_type,
        update_time=now,
        revision=token.revision + 1,
    )


def report(token: Token, fact: TshToken, content: str, now: int, *, creation: bool) -> TokenReport:
    """Applies what TSH tells of a token; `content` is the digest that recognises the same report again."""
    order = order_time(fact.creation_timestamp if creation else fact.last_update_timestamp, now)
    if is_stale(token.partner_order_time, order.micros, creation=creation):
        delivered = replace(token, delivery_count=token.delivery_count + 1)
        return TokenReport(delivered, stale=True, flags=order.flags)
    state, state_text = token.state, token.state_text
    flags = order.flags
    if creation:
        state, state_text = TokenState.CREATED, ""
    elif fact.token_state:
        state, state_text = state_of(fact.token_state), fact.token_state
        if state is TokenState.UNRECOGNIZED:
            flags = (*flags, NotificationFlag.VALUE_UNRECOGNIZED)
    changed = replace(
        token,
        delivery_count=token.delivery_count + 1,
        state=state,
        state_text=state_text,
        card_bin=fact.card_bin or token.card_bin,
        card_last_digits=fact.card_last_digits or token.card_last_digits,
        card_expiry=fact.card_expiry or token.card_expiry,
        token_last_digits=fact.token_last_digits or token.token_last_digits,
        token_expiry=fact.token_expiry or token.token_expiry,
        payment_account_reference=fact.payment_account_reference or token.payment_account_reference,
        visa_provisioned_token_id=fact.visa_provisioned_token_id or token.visa_provisioned_token_id,
        partner_create_time_text=fact.creation_timestamp or token.partner_create_time_text,
        partner_update_time_text=fact.last_update_timestamp or token.partner_update_time_text,
        partner_order_time=newest(token.partner_order_time, order.micros),
        last_content=content,
        update_time=now,
        revision=token.revision + 1,
    )
    return TokenReport(changed, stale=False, flags=flags)


def check_etag(token: Token, etag: str) -> None:
    if etag and etag != str(token.revision):
        raise EtagMismatch(token.name)


def disable(token: Token, reason: str, etag: str, now: int) -> Token:
    """The token out of use on our side; as it is where it was disabled already. Raises EtagMismatch."""
    check_etag(token, etag)
    if token.disable_time is not None:
        return token
    return replace(token, disable_time=now, disable_reason=reason, update_time=now, revision=token.revision + 1)


def enable(token: Token, etag: str, now: int) -> Token:
    """The token in use again; as it is where it was not disabled. Raises EtagMismatch."""
    check_etag(token, etag)
    if token.disable_time is None:
        return token
    return replace(token, disable_time=None, disable_reason="", update_time=now, revision=token.revision + 1)
