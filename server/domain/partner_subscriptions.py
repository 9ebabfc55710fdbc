"""What a partner says of a subscription, as it came: texts, empty where absent."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartnerTransaction:
    """A charge, or a try, that a subscription's details list. What became of it its own status tells."""

    partner_transaction_id: str
    cycle: str = ""


@dataclass(frozen=True, slots=True)
class PartnerSubscription:
    """The partner's `subscription_details`."""

    partner_subscription_id: str
    status: str = ""
    max_cycle_count: str = ""
    completed_cycle_count: str = ""
    last_payment_status: str = ""
    next_payment_date: str = ""
    next_payment_cycle: str = ""
    plan_name: str = ""
    plan_description: str = ""
    cycle_type: str = ""
    cycle_interval: str = ""
    amount: str = ""
    currency: str = ""
    transactions: tuple[PartnerTransaction, ...] = ()
