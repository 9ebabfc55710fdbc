"""A hosted page from the link to the confirmed payment, with a partner that answers by script."""

from typing import Any

from mintmark.v1 import payments_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp
from mintmark.v1 import tokens_pb2

from tests.server.rpc.paying import (
    MERCHANT,
    QUERY,
    Shop,
    approved,
    link,
)


def opened(shop: Shop, **fields: Any) -> tuple[pb.Payment, tp.BeginAttemptResponse]:
    """A payment whose page is there for the payer."""
    payment = shop.page(**fields)
    grant = shop.granted(payment)
    assert shop.record(grant.attempt, link(grant)) == "REQUIRES_ACTION"
    return payment, grant


def confirmed(shop: Shop, payment: pb.Payment, answer: tp.PartnerAnswer) -> str:
    """The operation's state after the partner was asked about a transaction and said this."""
    shop.resolve(payment, answer.partner_transaction_id)
    found = shop.claim(QUERY, of=payment)
    (task,) = [each for each in found if each.query.partner_transaction_id == answer.partner_transaction_id]
    return shop.record_status(task, answer)


def paid(grant: tp.BeginAttemptResponse, method: str = "", **fields: Any) -> tp.PartnerAnswer:
    given = {"http_status": 200, "stored_payment_method_id": method, "masked_number": "520000******1005", **fields}
    return approved(grant, **given)


def token(shop: Shop, method: str) -> tokens_pb2.Token:
    name = f"merchantGateways/{shop.gateway}/merchants/{MERCHANT}/tokens/{method}"
    return shop.client.tokens.GetToken(tokens_pb2.GetTokenRequest(name=name)).token


def tokens(shop: Shop) -> set[str]:
    request = tokens_pb2.ListTokensRequest(parent=f"merchantGateways/{shop.gateway}/merchants/{MERCHANT}")
    return {each.token_id for each in shop.client.tokens.ListTokens(request).tokens}
