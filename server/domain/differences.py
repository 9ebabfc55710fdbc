"""How two pictures of one resource differ, in the words of the API, and how a change is carried over to another."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from server.domain.bindings import Binding
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant, SchemeRegistration
from server.domain.recording import Resource
from server.domain.replays import Difference
from server.domain.tokens import Token

# What is counted and stamped, whatever a notification says.
BOOKKEEPING = frozenset(
    {
        *("create_time", "update_time", "revision", "delivery_count", "refresh_generation", "refreshed_generation"),
        *("refresh_time", "refresh_error"),
    }
)
# Identity, and the memory that recognises a repeat: nobody is shown it.
UNSHOWN = frozenset(
    {
        *("name", "merchant_gateway_id", "merchant_id", "token_id", "device_id", "token", "scheme_text"),
        *("issuer_id", "card_id", "digital_card_id", "consumer_id", "operation_id", "kind"),
        "last_content",
    }
)
# Asking for a refresh is shown: a replay may do it.
SHOWN_BOOKKEEPING = frozenset({"refresh_generation"})
PATHS = {"card_bin": "card.bin", "card_last_digits": "card.last_digits", "card_expiry": "card.expiry"}
MOST = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def differences(before: Resource | None, after: Resource | None) -> tuple[Difference, ...]:
    """What is shown of a resource and differs; bookkeeping left out. `MOST` at most."""
    names = Difference("name", before.name if before else "", after.name if after else "")
    found = [] if names.before == names.after else [names]
    held, changed = (_shown(before) if before else {}), (_shown(after) if after else {})
    for path in held | changed:
        pair = Difference(path, held.get(path, ""), changed.get(path, ""))
        if pair.before != pair.after:
            found.append(pair)
    return tuple(found[:MOST])


def _shown(resource: Resource) -> dict[str, str]:
    """Each shown field's text by its path."""
    if isinstance(resource, Merchant):
        return {
            f'scheme_registrations["{each.scheme_text}"].{path}': text
            for each in resource.scheme_registrations
            for path, text in _texts(each).items()
        }
    return _texts(resource)


def _texts(of: Token | Binding | SchemeRegistration | IssuerOperation) -> dict[str, str]:
    unshown = UNSHOWN | (BOOKKEEPING - SHOWN_BOOKKEEPING)
    return {
        PATHS.get(field.name, field.name): _text(field.name, getattr(of, field.name))
        for field in fields(of)
        if field.name not in unshown
    }


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_time"):
        return (_EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")
    return str(value)


def same(one: Resource | None, other: Resource | None, *, besides: frozenset[str] = frozenset()) -> bool:
    """Whether two pictures say the same, bookkeeping and the fields `besides` left out."""
    if one is None or other is None or type(one) is not type(other):
        return one is other
    left_out = BOOKKEEPING | besides
    return all(
        getattr(one, field.name) == getattr(other, field.name) for field in fields(one) if field.name not in left_out
    )


def carried_over(to: Resource, before: Resource | None, after: Resource) -> Resource:
    """The change from `before` to `after` made to another picture of the resource, bookkeeping left out."""
    if isinstance(to, Merchant) and isinstance(after, Merchant):
        held = set(before.scheme_registrations) if isinstance(before, Merchant) else set()
        changed = [each for each in after.scheme_registrations if each not in held]
        kept = {each.scheme_text: each for each in (*to.scheme_registrations, *changed)}
        return replace(to, scheme_registrations=tuple(kept[scheme] for scheme in sorted(kept)))
    changes: dict[str, Any] = {}
    for field in fields(after):
        value = getattr(after, field.name)
        news = value not in ("", None) if before is None else value != getattr(before, field.name)
        if news and field.name not in BOOKKEEPING:
            changes[field.name] = value
    return replace(to, **changes)


def with_bookkeeping(would: Resource, held: Resource) -> Resource:
    """The resource as it would be, with the counts and stamps of the one that is held."""
    names = {field.name for field in fields(held)}
    return replace(would, **{name: getattr(held, name) for name in BOOKKEEPING & names})
