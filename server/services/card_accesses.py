"""Accesses to card data, for those who look after them."""

from server.domain.card_accesses import CardAccess
from server.domain.queries import CardAccessQuery, Page
from server.ports import Store


def list_page(store: Store, query: CardAccessQuery, page: Page) -> list[CardAccess]:
    """The newest first."""
    return store.view.cards.accesses(query, page)
