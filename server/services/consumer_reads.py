"""Consumers for D1, which asks through a gateway."""

from server.domain import names
from server.domain.cards import GONE
from server.domain.consumers import Consumer, ConsumerState
from server.domain.principals import Principals
from server.domain.refusals import IssuerCallNotAllowed, ResourceNotFound
from server.ports import Store
from server.services import issuer_calls

SETTING = "tell_consumers"


def read(
    store: Store, principals: Principals, sender: str, issuer_id: str, consumer_id: str, card_id: str = ""
) -> Consumer | None:
    """The consumer where it is ACTIVE, and has the card where one is named; None where the issuer's own system answers.

    Raises ResourceNotFound and IssuerCallNotAllowed.
    """
    account, settings = issuer_calls.allowed(principals, sender, issuer_id)
    if not settings.tell_consumers:
        raise IssuerCallNotAllowed(account.name, SETTING)
    if settings.directory is not None:
        return None
    name = names.consumer(issuer_id, consumer_id)
    found = store.view.consumers.get(name)
    if found is None or found.state is not ConsumerState.ACTIVE:
        raise ResourceNotFound(name)
    if card_id:
        card = store.view.cards.card(names.card(issuer_id, card_id))
        if card is None or card.state in GONE or card.consumer_id != consumer_id:
            raise ResourceNotFound(names.card(issuer_id, card_id))
    return found
