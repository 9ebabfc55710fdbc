"""Merchants of a merchant gateway, with their registrations at the card schemes, as TSH reports them."""

from dataclasses import dataclass, replace

from server.domain import names
from server.domain.notifications import NotificationFlag, TshMerchant
from server.domain.ordering import is_stale, newest, order_time


@dataclass(frozen=True, slots=True)
class SchemeRegistration:
    """A merchant's registration as token requestor at one scheme. Texts are TSH's own."""

    scheme_text: str
    token_requestor_id: str = ""
    mastercard_service_id: str = ""
    error_code: str = ""
    partner_update_time_text: str = ""
    partner_order_time: int | None = None
    last_content: str = ""


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant that TSH has reported on; times are microseconds."""

    name: str
    merchant_gateway_id: str
    merchant_id: str
    create_time: int
    update_time: int
    scheme_registrations: tuple[SchemeRegistration, ...] = ()
    delivery_count: int = 0
    revision: int = 1


@dataclass(frozen=True, slots=True)
class MerchantReport:
    """What a report made of the merchant. A stale one changed nothing but the count of deliveries."""

    merchant: Merchant
    stale: bool
    flags: tuple[NotificationFlag, ...]


def first_seen(gateway: str, merchant_id: str, now: int) -> Merchant:
    return Merchant(
        name=names.merchant(gateway, merchant_id),
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        create_time=now,
        update_time=now,
        revision=0,
    )


def registration(merchant: Merchant, scheme_text: str) -> SchemeRegistration:
    for held in merchant.scheme_registrations:
        if held.scheme_text == scheme_text:
            return held
    return SchemeRegistration(scheme_text)


def report(merchant: Merchant, fact: TshMerchant, content: str, now: int) -> MerchantReport:
    """Applies what TSH tells of a registration; `content` is the digest that recognises the same report again."""
    order = order_time(fact.last_update_timestamp, now)
    held = registration(merchant, fact.scheme)
    if is_stale(held.partner_order_time, order.micros, creation=False):
        delivered = replace(merchant, delivery_count=merchant.delivery_count + 1)
        return MerchantReport(delivered, stale=True, flags=order.flags)
    changed = SchemeRegistration(
        scheme_text=fact.scheme,
        token_requestor_id=fact.token_requestor_id or held.token_requestor_id,
        mastercard_service_id=fact.mastercard_service_id or held.mastercard_service_id,
        # An error belongs to this report alone: a registration that works now has none.
        error_code=fact.error_code,
        partner_update_time_text=fact.last_update_timestamp or held.partner_update_time_text,
        partner_order_time=newest(held.partner_order_time, order.micros),
        last_content=content,
    )
    others = (each for each in merchant.scheme_registrations if each.scheme_text != fact.scheme)
    registrations = tuple(sorted((*others, changed), key=lambda each: each.scheme_text))
    updated = replace(
        merchant,
        delivery_count=merchant.delivery_count + 1,
        scheme_registrations=registrations,
        update_time=now,
        revision=merchant.revision + 1,
    )
    return MerchantReport(updated, stale=False, flags=order.flags)
