"""Payment tokens for those who read and manage them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.domain import names, tokens
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.queries import Page, TokenQuery
from server.domain.refusals import FieldInvalid, ResourceNotFound
from server.domain.tokens import Token, TokenProvider
from server.ports import Store, Transaction, Views


@dataclass(frozen=True, slots=True)
class Import:
    """A token that existed before Mintmark."""

    merchant_gateway_id: str
    merchant_id: str
    token_id: str
    provider: TokenProvider
    state_text: str = ""
    card_bin: str = ""
    card_last_digits: str = ""
    card_expiry: str = ""


def visible(caller: Caller, token: Token | None, name: str) -> Token:
    """The token, where there is one and the caller may see it. Raises ResourceNotFound."""
    if token is None or not caller.reach.merchant(token.merchant_gateway_id, token.merchant_id):
        raise ResourceNotFound(name)
    return token


def get(views: Views, caller: Caller, name: str) -> Token:
    return visible(caller, views.token(name), name)


def list_page(store: Store, query: TokenQuery, page: Page) -> list[Token]:
    return store.view.tokens(query, page)


def import_all(transaction: Transaction, caller: Caller, wanted: Sequence[Import], now: int) -> tuple[int, int]:
    """Makes tokens known; returns how many are new and how many were known. Raises ResourceNotFound, FieldInvalid."""
    new: dict[str, Token] = {}
    for place, each in enumerate(wanted):
        if not caller.reach.merchant(each.merchant_gateway_id, each.merchant_id):
            raise ResourceNotFound(names.merchant(each.merchant_gateway_id, each.merchant_id))
        token = imported(each, now)
        if len(token.name) > names.LONGEST_NAME:
            raise FieldInvalid(f"tokens[{place}].token_id", "too long for a resource name", "string.max_len")
        new.setdefault(token.name, token)
    held = transaction.tokens.get_many(list(new))
    created = [token for name, token in new.items() if name not in held]
    transaction.tokens.insert(created)
    for token in created:
        transaction.append(event_of(EventKind.TOKEN_IMPORTED, token, caller, now))
    return len(created), len(wanted) - len(created)


def imported(each: Import, now: int) -> Token:
    first = tokens.first_seen(each.merchant_gateway_id, each.merchant_id, each.token_id, each.provider, now)
    return replace(
        first,
        state=tokens.state_of(each.state_text),
        state_text=each.state_text,
        card_bin=each.card_bin,
        card_last_digits=each.card_last_digits,
        card_expiry=each.card_expiry,
        revision=1,
    )


def disable(transaction: Transaction, caller: Caller, name: str, reason: str, etag: str, now: int) -> Token:
    """Raises ResourceNotFound, EtagMismatch."""
    held = visible(caller, transaction.tokens.get(name), name)
    return _save(
        transaction, held, tokens.disable(held, reason, etag, now), EventKind.TOKEN_DISABLED, caller, now, reason=reason
    )


def enable(transaction: Transaction, caller: Caller, name: str, etag: str, now: int) -> Token:
    """Raises ResourceNotFound, EtagMismatch."""
    held = visible(caller, transaction.tokens.get(name), name)
    return _save(transaction, held, tokens.enable(held, etag, now), EventKind.TOKEN_ENABLED, caller, now)


def _save(
    transaction: Transaction, held: Token, after: Token, kind: EventKind, caller: Caller, now: int, **details: str
) -> Token:
    if after is not held:
        transaction.tokens.update([after])
        transaction.append(replace(event_of(kind, after, caller, now), details=details))
    return after


def event_of(kind: EventKind, token: Token, caller: Caller, now: int) -> Event:
    return Event(
        kind=kind,
        resource=token.name,
        time=now,
        merchant_gateway_id=token.merchant_gateway_id,
        merchant_id=token.merchant_id,
        correlation_id=caller.correlation_id,
        actor=caller.client,
        snapshot=token,
    )
