"""Device bindings for those who read them."""

from server.domain.bindings import Binding
from server.domain.callers import Caller
from server.domain.queries import BindingQuery, Page
from server.domain.refusals import ResourceNotFound
from server.ports import Store, Views


def get(views: Views, caller: Caller, name: str) -> Binding:
    """Raises ResourceNotFound."""
    found = views.binding(name)
    if found is None or not caller.reach.merchant(found.merchant_gateway_id, found.merchant_id):
        raise ResourceNotFound(name)
    return found


def list_page(store: Store, query: BindingQuery, page: Page) -> list[Binding]:
    return store.view.bindings(query, page)
