"""What D1 tells card issuers of operations, for those who read them."""

from server.domain.callers import Caller
from server.domain.issuer_operations import IssuerOperation
from server.domain.queries import IssuerOperationQuery, Page
from server.domain.refusals import ResourceNotFound
from server.ports import Store


def get(store: Store, caller: Caller, name: str) -> IssuerOperation:
    """Raises ResourceNotFound."""
    found = store.view.issuers.operation(name)
    if found is None or not caller.reach.issuer(found.issuer_id):
        raise ResourceNotFound(name)
    return found


def list_page(store: Store, query: IssuerOperationQuery, page: Page) -> list[IssuerOperation]:
    return store.view.issuers.operations(query, page)
