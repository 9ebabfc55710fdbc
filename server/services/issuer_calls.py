"""Calls of D1's about an issuer: whether their sender may speak for it, and whether its account allows them."""

from server.domain.accounts import Account
from server.domain.d1_issuer_accounts import D1Issuer
from server.domain.notifications import RecordOutcome
from server.domain.principals import Principals
from server.domain.refusals import IssuerCallNotAllowed, ResourceNotFound


def allowed(principals: Principals, sender: str, issuer_id: str) -> tuple[Account, D1Issuer]:
    """The issuer's account and what it states of cards, for a sender as a gateway has authenticated it.

    Raises ResourceNotFound where the issuer is not ours, IssuerCallNotAllowed where the sender may not speak for it or
    the account states nothing.
    """
    refused = principals.refused_for_issuer(sender, issuer_id)
    if refused is RecordOutcome.NOT_OURS or (refused is None and issuer_id not in principals.issuer_ids):
        raise ResourceNotFound(f"issuers/{issuer_id}")
    account = principals.issuer_accounts.get(issuer_id)
    if refused is not None:
        raise IssuerCallNotAllowed(account.name if account else "", "sender")
    if account is None or account.d1_issuer is None:
        raise IssuerCallNotAllowed(account.name if account else "", "d1_issuer")
    return account, account.d1_issuer
