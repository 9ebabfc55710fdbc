"""What PaymentOptions says of subscriptions, read leniently: the details of one, or a list of all."""

import json as stdlib
from collections.abc import Iterator, Mapping
from typing import Any

from mintmark.v1 import tasks_pb2 as pb

from adapters import card_numbers, json
from adapters.partner_texts import Odd, at, text_of

DEPTH = 32
# As the schema says it.
MOST_FOUND = 16
MOST_TRANSACTIONS = 2000
LONGEST_BODY = 64 * 1024
DETAILS = "subscription_details"
PLAN = "subscription_plan_details"
TRANSACTIONS = "subscription_transaction_details"
# A field of PartnerSubscription, its longest text as the schema says it, and where it is.
PLACES: tuple[tuple[str, int, str], ...] = (
    ("partner_subscription_id", 128, "id"),
    ("status", 64, "status"),
    ("max_cycle_count", 64, "max_cycle_count"),
    ("completed_cycle_count", 64, "completed_payment_cycle"),
    ("last_payment_status", 64, "last_payment_status"),
    ("next_payment_date", 64, "next_payment_date"),
    ("next_payment_cycle", 64, "next_payment_cycle"),
    ("plan_name", 256, f"{PLAN}.name"),
    ("plan_description", 512, f"{PLAN}.desc"),
    ("cycle_type", 64, f"{PLAN}.billing_cycle_type"),
    ("cycle_interval", 64, f"{PLAN}.billing_cycle_interval"),
    ("amount", 64, f"{PLAN}.amount"),
    ("currency", 16, f"{PLAN}.ccy"),
)
_BOM = b"\xef\xbb\xbf"


def told(document: Mapping[str, Any]) -> list[pb.PartnerSubscription]:
    """The subscription that an answer tells of; none where it tells of none, or of one that cannot be read for sure."""
    details = document.get(DETAILS)
    if details is None and isinstance(document.get(PLAN), dict):
        details = document
    try:
        return [_subscription(details)] if isinstance(details, dict) else []
    except Odd:
        return []


def read_list(body: bytes, mark: str, http_status: int, *, whole: bool) -> pb.PartnerAnswer:
    """A list: of everybody's subscriptions those whose description has the mark. The others are nobody's business here,
    so that they are in no body either."""
    answer = pb.PartnerAnswer(http_status=http_status, cut_off=not whole)
    try:
        entries = _entries(card_numbers.cut_json(body)) if whole else None
        if entries is None:
            return answer
        ours = [details for details in map(_details, entries) if _has(details, mark)]
        found = [_subscription(details) for details in ours[:MOST_FOUND]]
    except (json.Unreadable, Odd):
        return answer
    answer.readable = True
    answer.listed_count = len(entries)
    answer.subscriptions.extend(found)
    answer.body = stdlib.dumps(ours[:MOST_FOUND], ensure_ascii=False, default=_number).encode()[:LONGEST_BODY]
    return answer


def _entries(body: bytes) -> list[Any] | None:
    """The entries of an array; None where it is none. Raises json.Unreadable."""
    text = body.removeprefix(_BOM).strip()
    if not text.startswith(b"[") or not text.endswith(b"]"):
        return None
    document = json.parse(b'{"list":' + text + b"}", DEPTH)
    entries = document.fields.get("list")
    alone = len(document.fields) == 1 and not document.duplicate_key
    return entries if alone and isinstance(entries, list) else None


def _details(entry: object) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        return {}
    inner = entry.get(DETAILS)
    return inner if isinstance(inner, dict) else entry


def _has(details: Mapping[str, Any], mark: str) -> bool:
    plan = details.get(PLAN)
    text = plan.get("desc") if isinstance(plan, dict) else None
    return bool(mark) and isinstance(text, str) and mark in text


def _subscription(details: Mapping[str, Any]) -> pb.PartnerSubscription:
    """Raises Odd."""
    fields = {name: text_of(at(details, place), longest) for name, longest, place in PLACES}
    return pb.PartnerSubscription(**fields, transactions=_transactions(details))


def _transactions(details: Mapping[str, Any]) -> Iterator[pb.PartnerTransaction]:
    listed = details.get(TRANSACTIONS)
    if not isinstance(listed, list):
        return
    for each in listed[:MOST_TRANSACTIONS]:
        if isinstance(each, dict):
            named, cycle = text_of(each.get("id"), 128), text_of(each.get("cycle"), 16)
            yield pb.PartnerTransaction(partner_transaction_id=named, cycle=cycle)


def _number(number: object) -> str:
    return number.text if isinstance(number, json.Number) else ""
