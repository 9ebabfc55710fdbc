"""Merchants for those who read them."""

from server.domain.callers import Caller
from server.domain.merchants import Merchant
from server.domain.queries import MerchantQuery, Page
from server.domain.refusals import ResourceNotFound
from server.ports import Store


def get(store: Store, caller: Caller, name: str) -> Merchant:
    """Raises ResourceNotFound."""
    found = store.view.merchant(name)
    if found is None or not caller.reach.merchant(found.merchant_gateway_id, found.merchant_id):
        raise ResourceNotFound(name)
    return found


def list_page(store: Store, query: MerchantQuery, page: Page) -> list[Merchant]:
    return store.view.merchants(query, page)
