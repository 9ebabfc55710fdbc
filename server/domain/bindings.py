"""Bindings of devices to tokens, as TSH reports them."""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain import names
from server.domain.notifications import NotificationFlag, TshBinding
from server.domain.ordering import is_stale, newest, order_time


class BindingState(StrEnum):
    """The state that TSH last reported; an open list."""

    UNSPECIFIED = "UNSPECIFIED"
    UNRECOGNIZED = "UNRECOGNIZED"
    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


REPORTED_STATES = {state.value: state for state in (BindingState.ACTIVE, BindingState.SUSPENDED, BindingState.DELETED)}


@dataclass(frozen=True, slots=True)
class Binding:
    """A device bound to a token. Texts are TSH's own, empty where it reported none; times are microseconds."""

    name: str
    merchant_gateway_id: str
    merchant_id: str
    token_id: str
    device_id: str
    token: str
    create_time: int
    update_time: int
    state: BindingState = BindingState.UNSPECIFIED
    state_text: str = ""
    device_type_text: str = ""
    app_type_text: str = ""
    idv_method_text: str = ""
    event_initiator_text: str = ""
    visa_provisioned_token_id: str = ""
    delivery_count: int = 0
    partner_create_time_text: str = ""
    partner_update_time_text: str = ""
    partner_order_time: int | None = None
    last_content: str = ""
    revision: int = 1


@dataclass(frozen=True, slots=True)
class BindingReport:
    """What a report made of the binding. A stale one changed nothing but the count of deliveries."""

    binding: Binding
    stale: bool
    flags: tuple[NotificationFlag, ...]


def state_of(text: str) -> BindingState:
    return REPORTED_STATES.get(text, BindingState.UNRECOGNIZED) if text else BindingState.UNSPECIFIED


def first_seen(gateway: str, merchant_id: str, token_id: str, device_id: str, now: int) -> Binding:
    return Binding(
        name=names.binding(gateway, merchant_id, token_id, device_id),
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        token_id=token_id,
        device_id=device_id,
        token=names.token(gateway, merchant_id, token_id),
        create_time=now,
        update_time=now,
        revision=0,
    )


def report(binding: Binding, fact: TshBinding, content: str, now: int, *, creation: bool) -> BindingReport:
    """Applies what TSH tells of a binding; `content` is the digest that recognises the same report again."""
    order = order_time(fact.creation_timestamp if creation else fact.last_update_timestamp, now)
    if is_stale(binding.partner_order_time, order.micros, creation=creation):
        delivered = replace(binding, delivery_count=binding.delivery_count + 1)
        return BindingReport(delivered, stale=True, flags=order.flags)
    state, state_text = binding.state, binding.state_text
    flags = order.flags
    if creation:
        state, state_text = BindingState.CREATED, ""
    elif fact.binding_state:
        state, state_text = state_of(fact.binding_state), fact.binding_state
        if state is BindingState.UNRECOGNIZED:
            flags = (*flags, NotificationFlag.VALUE_UNRECOGNIZED)
    changed = replace(
        binding,
        delivery_count=binding.delivery_count + 1,
        state=state,
        state_text=state_text,
        device_type_text=fact.device_type or binding.device_type_text,
        app_type_text=fact.app_type or binding.app_type_text,
        idv_method_text=fact.idv_method or binding.idv_method_text,
        event_initiator_text=fact.event_initiator or binding.event_initiator_text,
        visa_provisioned_token_id=fact.visa_provisioned_token_id or binding.visa_provisioned_token_id,
        partner_create_time_text=fact.creation_timestamp or binding.partner_create_time_text,
        partner_update_time_text=fact.last_update_timestamp or binding.partner_update_time_text,
        partner_order_time=newest(binding.partner_order_time, order.micros),
        last_content=content,
        update_time=now,
        revision=binding.revision + 1,
    )
    return BindingReport(changed, stale=False, flags=flags)
