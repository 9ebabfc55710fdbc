"""What PaymentOptions says, read leniently: every block may be missing, numbers may be texts, a body may be anything.

Card numbers are cut before anything else sees the body. What cannot be read for sure is not read at all: then only the
body is kept, and the core takes it for an answer that proves nothing.
"""

import re
from collections.abc import Mapping
from typing import Any

from mintmark.v1 import tasks_pb2 as pb

from adapters import card_numbers, json, partner_subscriptions
from adapters.partner_texts import Odd, at, first, text_of

DEPTH = 32
LONGEST_BODY = 64 * 1024
LONGEST_MESSAGE = 512
LONGEST_LINK = 8192

# A field of PartnerAnswer, its longest text as the schema says it, and where it is: the first place that holds one.
PLACES: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("success", 64, ("success",)),
    ("redirect_url", 8192, ("redirect_url",)),
    ("transaction_type", 64, ("transaction_type",)),
    ("is_live", 64, ("is_live",)),
    ("gateway_code", 128, ("gateway_response.code",)),
    ("gateway_type", 64, ("gateway_response.type",)),
    ("response_code", 64, ("payment_details.response_code",)),
    ("amount", 64, ("payment_details.amount",)),
    ("currency", 16, ("payment_details.currency",)),
    ("auth_code", 64, ("payment_details.auth_code",)),
    ("scheme", 64, ("payment_details.scheme",)),
    ("masked_number", 64, ("payment_details.card.number",)),
    ("partner_merchant_id", 128, ("merchant_details.mid",)),
    ("reference", 128, ("transaction_details.merchant_txn_ref", "merchant_details.merchant_txn_ref")),
    ("partner_transaction_id", 128, ("transaction_details.id",)),
    ("partner_reference", 64, ("transaction_details.ref",)),
    ("stored_payment_method_id", 128, ("transaction_details.stored_payment_method_id",)),
)
# Of a link to a hosted page, whose answer has no wrapper; read only where there is a link.
PAGE_PLACES: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("page_amount", 64, ("amount",)),
    ("page_currency", 16, ("currency",)),
    ("page_reference", 128, ("merchant_txn_ref",)),
    ("page_merchant_id", 128, ("merchant_id",)),
)
MESSAGES = ("gateway_response.message", "message", "error")
_WHOLE = re.compile(r"[0-9]{12,19}")


def read(body: bytes, http_status: int = 0, *, whole: bool = True, last_of_twins: bool = False) -> pb.PartnerAnswer:
    """The answer with this body.

    `whole` is false where the body goes on beyond what was received. With `last_of_twins` a key that is there twice has
    its last value; else nobody knows which one is meant, and nothing is read.
    """
    without = card_numbers.cut_json(body)
    answer = pb.PartnerAnswer(http_status=http_status, cut_off=not whole)
    try:
        if not whole:
            raise Odd
        document = json.parse(without, DEPTH)
        if document.duplicate_key and not last_of_twins:
            raise Odd
        fields = {name: first(document.fields, places, longest) for name, longest, places in PLACES}
        if isinstance(link := document.fields.get("url"), str):
            fields["page_url"] = text_of(link, LONGEST_LINK)
            fields |= {name: first(document.fields, places, longest) for name, longest, places in PAGE_PLACES}
        expiry = _expiry(document.fields)
    except (json.Unreadable, Odd):
        answer.body = without[:LONGEST_BODY]
        return answer
    number = fields["masked_number"]
    fields["masked_number"] = masked = _masked(number)
    if masked != number and _WHOLE.search(re.sub(r"[ -]", "", number)):
        # Where a card number is expected its check digit need not be right, so the cut has left it in the body.
        raw = number.encode()
        without = without.replace(raw, masked.encode()) if raw in without else b""
    answer.body = without[:LONGEST_BODY]
    answer.readable = True
    answer.message = _message(document.fields)
    answer.card_expiry = expiry
    answer.subscriptions.extend(partner_subscriptions.told(document.fields))
    for name, text in fields.items():
        setattr(answer, name, text)
    return answer


def _masked(number: str) -> str:
    digits = re.sub(r"[ -]", "", number)
    return _WHOLE.sub(lambda found: f"{found[0][:6]}{'*' * (len(found[0]) - 10)}{found[0][-4:]}", digits)


def _message(document: Mapping[str, Any]) -> str:
    """For people only, so it may be cut short."""
    for place in MESSAGES:
        try:
            found = at(document, place)
        except Odd:
            continue
        if isinstance(found, str) and found:
            return json.storable(found)[:LONGEST_MESSAGE]
    return ""


def _expiry(document: Mapping[str, Any]) -> str:
    """MMYY; empty where month and year make none."""
    month, year = (text_of(at(document, f"payment_details.card.exp_{part}"), 64) for part in ("month", "year"))
    month = month.zfill(2)
    fits = re.fullmatch(r"0[1-9]|1[0-2]", month) and re.fullmatch(r"(?:20)?[0-9]{2}", year)
    return month + year[-2:] if fits else ""
