"""D1's calls about an issuer: whether who makes one may, and what the issuer's account says of it."""

from server.domain import names
from server.domain.accounts import Account
from server.domain.d1_issuer_accounts import D1Issuer
from server.domain.notifications import RecordOutcome
from server.domain.principals import Principals
from server.domain.refusals import IssuerCallNotAllowed, ResourceNotFound

# What stands in for a setting where it is the sender, or the lack of an account with settings, that does not allow it.
SENDER = "sender"
SETTINGS = "d1_issuer"


def settings_of(principals: Principals, sender: str, issuer_id: str) -> tuple[Account, D1Issuer]:
    """The issuer's account and what it says of D1's calls.

    Raises ResourceNotFound where the issuer is not ours, IssuerCallNotAllowed where the sender may not speak for it or
    no account allows any call.
    """
    issuer = names.issuer(issuer_id)
    refused = principals.issuer_standing(sender, issuer_id).refused
    if refused is RecordOutcome.NOT_OURS:
        raise ResourceNotFound(issuer)
    account = principals.issuer_account(issuer_id)
    of = account.name if account else issuer
    if refused is not None:
        raise IssuerCallNotAllowed(of, SENDER)
    if account is None and issuer_id not in principals.issuer_ids:
        # Whoever may speak for any issuer makes none ours.
        raise ResourceNotFound(issuer)
    if account is None or account.d1_issuer is None:
        raise IssuerCallNotAllowed(of, SETTINGS)
    return account, account.d1_issuer
